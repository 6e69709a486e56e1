#include "ir/foreign_format.h"

#include <algorithm>
#include <array>

#include "ir/error.h"

namespace fettle::ir {
namespace {

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* name;
  const char* advice;
};

using namespace std::string_view_literals;

constexpr std::array kSignatures = std::to_array<Signature>({
    {0, "version https://git-lfs"sv, "a Git LFS pointer", "fetch the file with 'git lfs pull'"},
    {0, "PK\x03\x04"sv, "a zip archive (a PyTorch or Keras checkpoint?)", "export it to ONNX"},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (a Keras model?)", "export it to ONNX"},
    {0, "\x1f\x8b"sv, "gzip-compressed", "unpack it first"},
    {4, "TFL3"sv, "a LiteRT (TensorFlow Lite) model", "convert it to ONNX"},
    {4, "ORTM"sv, "a model in ONNX Runtime's own format", "use the ONNX file it was made from"},
    {0, "\x93NUMPY"sv, "a NumPy array", "name the ONNX model"},
    {0, "\x80\x02"sv, "a Python pickle", "export the model to ONNX"},
});

bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t';
  });
}

}  // namespace

void refuse_foreign_format(std::string_view bytes) {
  for (const Signature& s : kSignatures) {
    if (bytes.size() >= s.offset + s.bytes.size() &&
        bytes.substr(s.offset, s.bytes.size()) == s.bytes) {
      fail(ErrorCode::kBadInput, "expected ONNX, found {}; {}", s.name, s.advice);
    }
  }
}

void refuse_text(std::string_view bytes) {
  constexpr size_t kHead = 256;
  if (is_text(bytes.substr(0, kHead))) {
    fail(ErrorCode::kBadInput,
         "expected binary ONNX, found a text file; check what was downloaded");
  }
}

}  // namespace fettle::ir
