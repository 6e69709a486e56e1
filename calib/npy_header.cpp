#include "calib/npy_header.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr size_t kMaxHeader = 64 * 1024;
constexpr size_t kMaxRank = 32;  // numpy 1's own limit

struct DescrRow {
  std::string_view code;
  ir::DataType type;
};
// bfloat16 of ml_dtypes is stored as two opaque bytes.
constexpr std::array kDescrs = {
    DescrRow{"f2", ir::DataType::kFloat16},  DescrRow{"f4", ir::DataType::kFloat},
    DescrRow{"f8", ir::DataType::kDouble},   DescrRow{"i1", ir::DataType::kInt8},
    DescrRow{"i2", ir::DataType::kInt16},    DescrRow{"i4", ir::DataType::kInt32},
    DescrRow{"i8", ir::DataType::kInt64},    DescrRow{"u1", ir::DataType::kUint8},
    DescrRow{"u2", ir::DataType::kUint16},   DescrRow{"u4", ir::DataType::kUint32},
    DescrRow{"u8", ir::DataType::kUint64},   DescrRow{"b1", ir::DataType::kBool},
    DescrRow{"V2", ir::DataType::kBfloat16},
};

// Walks a Python literal of the form {'descr': '<f4', 'fortran_order': False, 'shape': (3,), }.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) damaged();
  }
  bool accept_word(std::string_view word) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string_view quoted() {
    skip_spaces();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) damaged();
    const char quote = text_[at_++];
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) damaged();
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end + 1;
    return word;
  }
  bool boolean() {
    if (accept_word("True")) return true;
    if (accept_word("False")) return false;
    damaged();
  }
  ir::Dims tuple() {
    ir::Dims dims;
    expect('(');
    while (!accept(')')) {
      if (!dims.empty()) expect(',');
      if (accept(')')) break;
      dims.push_back(number());
      if (dims.size() > kMaxRank) damaged();
      if (dims.size() == 1 && !peek(',')) damaged();  // "(5)" is no tuple
    }
    return dims;
  }
  bool done() {
    skip_spaces();
    return at_ == text_.size();
  }
  [[noreturn]] void damaged() const {
    fail(ErrorCode::kBadInput,
         "the NPY header is damaged at character {}; write the file again with numpy.save", at_);
  }

 private:
  bool peek(char c) {
    skip_spaces();
    return at_ < text_.size() && text_[at_] == c;
  }
  int64_t number() {
    skip_spaces();
    int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto result = std::from_chars(begin, text_.data() + text_.size(), value);
    if (result.ec != std::errc() || value < 0) damaged();
    at_ += static_cast<size_t>(result.ptr - begin);
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
};

void set_descr(std::string_view descr, NpyHeader& header) {
  const char order = descr.empty() ? '\0' : descr[0];
  if (order == '<' || order == '>' || order == '|') {
    for (const DescrRow& row : kDescrs) {
      if (descr.substr(1) != row.code) continue;
      header.type = row.type;
      header.big_endian = order == '>';
      return;
    }
  }
  if (descr.find('O') != std::string_view::npos) {
    fail(ErrorCode::kBadInput,
         "the array holds Python objects, which are refused; save numbers, for instance "
         "array.astype('float32')");
  }
  fail(ErrorCode::kBadInput,
       "expected an array of float16/32/64, (u)int8/16/32/64, bool or bfloat16, found numpy type "
       "'{}'; convert it with array.astype('float32')",
       descr.substr(0, 32));
}

size_t header_length(std::span<const std::byte> bytes, size_t& offset) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    fail(ErrorCode::kBadInput, "not an NPY file (its first bytes are not those of numpy.save)");
  }
  const auto byte = [&](size_t i) { return static_cast<size_t>(bytes[i]); };
  const size_t major = byte(6);
  if (major < 1 || major > 3 || (major > 1 && bytes.size() < 12)) {
    fail(ErrorCode::kBadInput, "NPY version {}.{} is not known", major, byte(7));
  }
  offset = major == 1 ? 10 : 12;
  size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > kMaxHeader) {
    fail(ErrorCode::kBadInput, "the NPY header is {} bytes long; at most {} are accepted", length,
         kMaxHeader);
  }
  if (length > bytes.size() - offset) {
    fail(ErrorCode::kBadInput, "the file is truncated within its NPY header");
  }
  return length;
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes) {
  size_t offset = 0;
  const size_t length = header_length(bytes, offset);
  NpyHeader header;
  header.data_offset = offset + length;
  Parser parser({reinterpret_cast<const char*>(bytes.data()) + offset, length});
  bool descr = false, order = false, shape = false;
  parser.expect('{');
  while (!parser.accept('}')) {
    const std::string_view key = parser.quoted();
    parser.expect(':');
    if (key == "descr" && !descr) {
      if (parser.accept('[')) {
        fail(ErrorCode::kBadInput, "the array holds records; save each field as its own array");
      }
      set_descr(parser.quoted(), header);
      descr = true;
    } else if (key == "fortran_order" && !order) {
      header.fortran_order = parser.boolean();
      order = true;
    } else if (key == "shape" && !shape) {
      header.dims = parser.tuple();
      shape = true;
    } else {
      parser.damaged();
    }
    if (!parser.accept(',')) {
      parser.expect('}');
      break;
    }
  }
  if (!descr || !order || !shape || !parser.done()) parser.damaged();
  ir::data_type_bytes(header.type, ir::element_count(header.dims));  // throws on overflow
  return header;
}

}  // namespace fettle::calib
