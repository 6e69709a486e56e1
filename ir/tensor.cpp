#include "ir/tensor.h"

#include <fmt/ranges.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::ir {

int64_t element_count(const Dims& dims) {
  int64_t count = 1;
  bool zero = false;
  for (const int64_t d : dims) {
    if (d < 0) fail(ErrorCode::kBadInput, "negative dimension in shape {}", to_string(dims));
    zero |= d == 0;
  }
  if (zero) return 0;
  for (const int64_t d : dims) {
    if (__builtin_mul_overflow(count, d, &count)) {
      fail(ErrorCode::kLimit, "shape {} has more elements than can be counted", to_string(dims));
    }
  }
  return count;
}

std::string to_string(const Dims& dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

Tensor::Tensor(DataType type, Dims dims)
    : type_(type), dims_(std::move(dims)), size_(element_count(dims_)) {
  FETTLE_ASSERT(type != DataType::kUndefined);
  if (type == DataType::kString) {
    require_memory(static_cast<size_t>(size_) * sizeof(std::string));
    strings_ = std::make_shared<std::vector<std::string>>(static_cast<size_t>(size_));
  } else {
    buffer_ = Buffer::allocate(data_type_bytes(type, size_));
  }
}

Tensor::Tensor(DataType type, Dims dims, std::shared_ptr<Buffer> buffer, size_t offset)
    : type_(type), dims_(std::move(dims)), size_(element_count(dims_)), buffer_(std::move(buffer)),
      offset_(offset) {
  const size_t need = data_type_bytes(type_, size_);
  FETTLE_ASSERT(buffer_ != nullptr && offset_ <= buffer_->size() &&
                need <= buffer_->size() - offset_);
}

Tensor Tensor::of_strings(Dims dims, std::vector<std::string> strings) {
  Tensor t;
  t.type_ = DataType::kString;
  t.dims_ = std::move(dims);
  t.size_ = element_count(t.dims_);
  FETTLE_ASSERT(static_cast<size_t>(t.size_) == strings.size());
  t.strings_ = std::make_shared<std::vector<std::string>>(std::move(strings));
  return t;
}

size_t Tensor::byte_size() const {
  if (type_ == DataType::kUndefined || type_ == DataType::kString) return 0;
  return data_type_bytes(type_, size_);
}

std::byte* Tensor::mutable_bytes() {
  FETTLE_ASSERT(buffer_ != nullptr);
  if (buffer_.use_count() > 1 || !buffer_->writable()) {
    auto copy = Buffer::allocate(byte_size());
    if (byte_size() > 0) std::memcpy(copy->mutable_data(), bytes(), byte_size());
    buffer_ = std::move(copy);
    offset_ = 0;
  }
  return buffer_->mutable_data() + offset_;
}

const std::vector<std::string>& Tensor::strings() const {
  FETTLE_ASSERT(strings_ != nullptr);
  return *strings_;
}

std::vector<std::string>& Tensor::mutable_strings() {
  FETTLE_ASSERT(strings_ != nullptr);
  if (strings_.use_count() > 1) strings_ = std::make_shared<std::vector<std::string>>(*strings_);
  return *strings_;
}

Tensor Tensor::reshaped(Dims dims) const {
  if (element_count(dims) != size_) {
    fail(ErrorCode::kBadInput, "cannot view a tensor of shape {} as {}", to_string(dims_),
         to_string(dims));
  }
  Tensor t = *this;
  t.dims_ = std::move(dims);
  return t;
}

Tensor Tensor::slice_front(int64_t begin, int64_t count) const {
  FETTLE_ASSERT(rank() > 0 && begin >= 0 && count >= 0 && begin + count <= dims_[0]);
  FETTLE_ASSERT(!is_sub_byte(type_));
  Dims dims = dims_;
  dims[0] = count;
  const int64_t row = dims_[0] == 0 ? 0 : size_ / dims_[0];
  if (type_ == DataType::kString) {
    const auto first = strings_->begin() + begin * row;
    return of_strings(std::move(dims), std::vector<std::string>(first, first + count * row));
  }
  return Tensor(type_, std::move(dims), buffer_, offset_ + data_type_bytes(type_, begin * row));
}

void Tensor::check_type(DataType wanted) const {
  if (wanted == type_) return;
  if (wanted == DataType::kUint8 && type_ == DataType::kBool) return;
  fail(ErrorCode::kBadInput, "expected a tensor of {}, found {}", data_type_name(wanted),
       data_type_name(type_));
}

namespace {

// Value of a float of `exponent_bits` and `mantissa_bits`; the caller has dealt with special codes.
double decode_small_float(unsigned code, int exponent_bits, int mantissa_bits, int bias) {
  const unsigned mantissa_mask = (1u << mantissa_bits) - 1;
  const unsigned exponent = (code >> mantissa_bits) & ((1u << exponent_bits) - 1);
  const unsigned mantissa = code & mantissa_mask;
  const bool negative = ((code >> (exponent_bits + mantissa_bits)) & 1u) != 0;
  const double scale = 1.0 / (1u << mantissa_bits);
  const double value = exponent == 0
                           ? std::ldexp(mantissa * scale, 1 - bias)
                           : std::ldexp(1 + mantissa * scale, static_cast<int>(exponent) - bias);
  return negative ? -value : value;
}

double decode_float8(DataType type, uint8_t code) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  switch (type) {
    case DataType::kFloat8E4M3FN:
      return (code & 0x7f) == 0x7f ? kNan : decode_small_float(code, 4, 3, 7);
    case DataType::kFloat8E4M3FNUZ:
      return code == 0x80 ? kNan : decode_small_float(code, 4, 3, 8);
    case DataType::kFloat8E5M2:
      if ((code & 0x7c) == 0x7c) return (code & 3) != 0 ? kNan : (code & 0x80) != 0 ? -kInf : kInf;
      return decode_small_float(code, 5, 2, 15);
    case DataType::kFloat8E5M2FNUZ:
      return code == 0x80 ? kNan : decode_small_float(code, 5, 2, 16);
    default:
      return code == 0xff ? kNan : std::ldexp(1.0, static_cast<int>(code) - 127);  // e8m0
  }
}

unsigned packed_code(const Tensor& t, int64_t index, int bits) {
  const int per_byte = 8 / bits;
  const auto byte = static_cast<unsigned>(t.bytes()[index / per_byte]);
  return (byte >> (index % per_byte * bits)) & ((1u << bits) - 1);
}

template <typename T>
T element(const Tensor& t, int64_t index) {
  T value;
  std::memcpy(&value, t.bytes() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

int64_t element_as_int(const Tensor& t, int64_t i) {
  FETTLE_ASSERT(i >= 0 && i < t.size());
  switch (t.type()) {
    case DataType::kInt64: return element<int64_t>(t, i);
    case DataType::kInt32: return element<int32_t>(t, i);
    case DataType::kInt16: return element<int16_t>(t, i);
    case DataType::kInt8: return element<int8_t>(t, i);
    case DataType::kUint64: return static_cast<int64_t>(element<uint64_t>(t, i));
    case DataType::kUint32: return element<uint32_t>(t, i);
    case DataType::kUint16: return element<uint16_t>(t, i);
    case DataType::kUint8: return element<uint8_t>(t, i);
    case DataType::kBool: return element<uint8_t>(t, i) != 0 ? 1 : 0;
    case DataType::kUint4: return packed_code(t, i, 4);
    case DataType::kUint2: return packed_code(t, i, 2);
    case DataType::kInt4: return static_cast<int64_t>(packed_code(t, i, 4) ^ 8u) - 8;
    case DataType::kInt2: return static_cast<int64_t>(packed_code(t, i, 2) ^ 2u) - 2;
    default:
      fail(ErrorCode::kBadInput, "expected integers, found a tensor of {}",
           data_type_name(t.type()));
  }
}

double element_as_double(const Tensor& t, int64_t i) {
  FETTLE_ASSERT(i >= 0 && i < t.size());
  switch (t.type()) {
    case DataType::kFloat: return element<float>(t, i);
    case DataType::kDouble: return element<double>(t, i);
    case DataType::kFloat16: return element<Float16>(t, i);
    case DataType::kBfloat16: return element<Bfloat16>(t, i);
    case DataType::kUint64: return static_cast<double>(element<uint64_t>(t, i));
    case DataType::kFloat4E2M1: return decode_small_float(packed_code(t, i, 4), 2, 1, 1);
    case DataType::kFloat8E4M3FN:
    case DataType::kFloat8E4M3FNUZ:
    case DataType::kFloat8E5M2:
    case DataType::kFloat8E5M2FNUZ:
    case DataType::kFloat8E8M0: return decode_float8(t.type(), element<uint8_t>(t, i));
    case DataType::kString:
    case DataType::kComplex64:
    case DataType::kComplex128:
      fail(ErrorCode::kUnsupported, "expected real numbers, found a tensor of {}",
           data_type_name(t.type()));
    default: return static_cast<double>(element_as_int(t, i));
  }
}

std::vector<int64_t> elements_as_ints(const Tensor& t) {
  std::vector<int64_t> out(static_cast<size_t>(t.size()));
  for (int64_t i = 0; i < t.size(); ++i) out[static_cast<size_t>(i)] = element_as_int(t, i);
  return out;
}

bool identical(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type() || a.dims() != b.dims()) return false;
  if (a.type() == DataType::kString) return a.strings() == b.strings();
  return a.byte_size() == 0 || a.bytes() == b.bytes() ||
         std::memcmp(a.bytes(), b.bytes(), a.byte_size()) == 0;
}

}  // namespace fettle::ir
