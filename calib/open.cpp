#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string_view>

#include "calib/bind.h"
#include "calib/convert.h"
#include "calib/dataset.h"
#include "calib/readers.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAccepted =
    "HDF5 (.h5), NPZ, NPY, a folder of .npy files, or a folder of test_data_set_* folders";

// Feeds from arrays. Not thread safe: the arrays share a file.
class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::string path, std::unique_ptr<ArrayFile> file, Binding binding)
      : path_(std::move(path)), file_(std::move(file)), binding_(std::move(binding)) {}

  int64_t size() const override { return binding_.size(); }
  int64_t batch() const override { return binding_.batch; }
  bool batched() const override {
    return std::any_of(binding_.arrays.begin(), binding_.arrays.end(),
                       [](const BoundArray& bound) { return !bound.whole; });
  }
  bool uniform() const override {
    return std::none_of(binding_.arrays.begin(), binding_.arrays.end(),
                        [](const BoundArray& bound) { return bound.array->stacked(); });
  }
  const std::optional<std::vector<int64_t>>& labels() const override { return binding_.labels; }
  std::vector<std::string> notes() const override { return binding_.notes; }
  std::string sample_name(int64_t first) const override {
    for (const BoundArray& bound : binding_.arrays) {
      if (bound.whole && bound.array->stacked()) return bound.array->row_name(first / batch());
    }
    return Dataset::sample_name(first);
  }

  interp::Feeds read(int64_t first) override {
    FETTLE_ASSERT(first >= 0 && first % batch() == 0 && first + batch() <= size());
    try {
      interp::Feeds feeds;
      for (BoundArray& bound : binding_.arrays) feeds.emplace(bound.input, read_one(bound, first));
      return feeds;
    } catch (Error& e) {
      e.add_context(path_);
      throw;
    }
  }

 private:
  ir::Tensor read_one(BoundArray& bound, int64_t first) {
    const int64_t row = bound.whole ? first / batch() : first;
    ir::Tensor tensor = bound.array->read(row, bound.whole ? 1 : batch());
    if (bound.whole) {
      tensor = tensor.reshaped(ir::Dims(tensor.dims().begin() + 1, tensor.dims().end()));
    }
    check_finite(bound, tensor, row);
    try {
      if (bound.whole) check_whole_tensor(bound, tensor.dims());
      if (bound.type.element == ir::DataType::kUndefined) return tensor;
      return convert(tensor, bound.type.element, bound.array->name());
    } catch (Error& e) {
      e.add_context(bound.array->row_name(row));
      throw;
    }
  }

  void check_finite(const BoundArray& bound, const ir::Tensor& tensor, int64_t row) const {
    const int64_t at = find_non_finite(tensor);
    if (at < 0) return;
    const int64_t per_sample = bound.whole ? tensor.size() : tensor.size() / tensor.dim(0);
    fail(ErrorCode::kBadInput,
         "{} holds {} in {} (element {} of the sample); remove or repair this sample",
         bound.describe(), std::isnan(ir::element_as_double(tensor, at)) ? "NaN" : "infinity",
         bound.array->row_name(row + at / per_sample),
         at % per_sample);
  }

  std::string path_;
  std::unique_ptr<ArrayFile> file_;  // outlives the arrays of the binding
  Binding binding_;
};

}  // namespace

std::string Dataset::sample_name(int64_t first) const {
  if (batch() == 1) return fmt::format("sample {}", first);
  return fmt::format("samples {} to {}", first, first + batch() - 1);
}

namespace {

bool looks_like_text(std::string_view bytes) {
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f') return false;
  }
  return !bytes.empty();
}

std::unique_ptr<ArrayFile> open_folder(const fs::path& path, const ir::Model& model) {
  bool has_sets = fs::exists(path / "input_0.pb"), has_npy = false;
  for (const auto& entry : fs::directory_iterator(path)) {
    has_sets |= entry.path().filename().string().starts_with("test_data_set");
    has_npy |= entry.path().extension() == ".npy";
  }
  if (has_sets) return open_test_data_sets(path, model);
  if (has_npy) return open_npy_folder(path);
  fail(ErrorCode::kBadInput,
       "the folder holds neither test_data_set_* folders nor .npy files; expected {}", kAccepted);
}

// HDF5 allows a user block before its data: its signature stands at 0, 512, 1024, 2048, ...
bool has_hdf5_signature(std::ifstream& stream) {
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  constexpr int64_t kLast = int64_t{1} << 40;
  std::array<char, kSignature.size()> found{};
  for (int64_t at = 0; at <= kLast; at = at == 0 ? 512 : 2 * at) {
    stream.clear();
    stream.seekg(at);
    if (!stream.read(found.data(), found.size())) return false;
    if (std::string_view(found.data(), found.size()) == kSignature) return true;
  }
  return false;
}

[[noreturn]] void fail_unknown(const fs::path& path, std::string_view head) {
  const std::string extension = path.extension().string();
  if (extension == ".h5" || extension == ".hdf5" || extension == ".npz" || extension == ".npy") {
    fail(ErrorCode::kBadInput, "the name ends in {}, but the file {}; expected {}", extension,
         looks_like_text(head) ? "holds text" : "is damaged or of another kind", kAccepted);
  }
  fail(ErrorCode::kBadInput, "{}; expected {}",
       looks_like_text(head) ? "the file holds text, which is not a data format"
                             : "the file is of no known data format",
       kAccepted);
}

std::unique_ptr<ArrayFile> open_regular(const fs::path& path) {
  std::array<char, 512> buffer{};
  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail(ErrorCode::kBadInput, "cannot be read; check its permissions");
  stream.read(buffer.data(), buffer.size());
  const std::string_view head(buffer.data(), static_cast<size_t>(stream.gcount()));
  using namespace std::string_view_literals;
  if (head.empty()) {
    fail(ErrorCode::kBadInput, "the file is empty (0 bytes); expected {}", kAccepted);
  }
  if (head.starts_with("PK\x03\x04"sv) || head.starts_with("PK\x05\x06"sv)) return open_npz(path);
  if (head.starts_with("\x93NUMPY"sv)) return open_npy(path);
  if (has_hdf5_signature(stream)) return open_hdf5(path);
  fail_unknown(path, head);
}

std::unique_ptr<ArrayFile> open_arrays(const fs::path& path, const ir::Model& model) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail(ErrorCode::kBadInput, "no such file or folder");
  if (fs::is_directory(status)) return open_folder(path, model);
  if (!fs::is_regular_file(status)) {
    fail(ErrorCode::kBadInput, "neither a regular file nor a folder");
  }
  return open_regular(path);
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const fs::path& path, const ir::Model& model) {
  const std::string label = fmt::format("data '{}'", path.string());
  try {
    auto file = open_arrays(path, model);
    Binding binding = bind_arrays(*file, model);
    return std::make_unique<ArrayDataset>(label, std::move(file), std::move(binding));
  } catch (Error& e) {
    e.add_context(label);
    throw;
  } catch (const fs::filesystem_error& e) {
    fail(ErrorCode::kBadInput, "{}: cannot be read: {}", label, e.code().message());
  }
}

}  // namespace fettle::calib
