#include "calib/convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "interp/element_range.h"
#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::calib {
namespace {

using ir::DataType;

constexpr int64_t kBlock = 1024;

// Calls f.template operator()<T>() for the C++ type of a plain numeric element type; false for
// types that have none.
template <typename F>
bool with_type(DataType type, F&& f) {
  switch (type) {
    case DataType::kFloat:
      f.template operator()<float>();
      return true;
    case DataType::kDouble:
      f.template operator()<double>();
      return true;
    case DataType::kFloat16:
      f.template operator()<ir::Float16>();
      return true;
    case DataType::kBfloat16:
      f.template operator()<ir::Bfloat16>();
      return true;
    case DataType::kInt8:
      f.template operator()<int8_t>();
      return true;
    case DataType::kInt16:
      f.template operator()<int16_t>();
      return true;
    case DataType::kInt32:
      f.template operator()<int32_t>();
      return true;
    case DataType::kInt64:
      f.template operator()<int64_t>();
      return true;
    case DataType::kUint8:
      f.template operator()<uint8_t>();
      return true;
    case DataType::kUint16:
      f.template operator()<uint16_t>();
      return true;
    case DataType::kUint32:
      f.template operator()<uint32_t>();
      return true;
    case DataType::kUint64:
      f.template operator()<uint64_t>();
      return true;
    case DataType::kBool:
      f.template operator()<bool>();
      return true;
    default:
      return false;
  }
}

bool is_plain(DataType type) {
  return with_type(type, []<typename T>() {});
}

// The largest n such that all integers of magnitude <= n are values of T.
template <typename T>
constexpr int64_t consecutive_integers() {
  if constexpr (std::is_same_v<T, double>) return int64_t{1} << 53;
  if constexpr (std::is_same_v<T, float>) return int64_t{1} << 24;
  if constexpr (std::is_same_v<T, ir::Float16>) return int64_t{1} << 11;
  if constexpr (std::is_same_v<T, ir::Bfloat16>) return int64_t{1} << 8;
  return std::numeric_limits<int64_t>::max();
}

template <typename T>
constexpr bool kIsReal = !std::is_integral_v<T>;

// Stores `value`; false when To cannot hold it.
template <typename From, typename To>
bool store(From value, To& out) {
  if constexpr (kIsReal<From> && kIsReal<To>) {
    const double real = static_cast<double>(value);
    if constexpr (std::is_same_v<To, double>) {
      out = real;
    } else {
      out = To(static_cast<float>(real));
    }
    return std::isfinite(static_cast<float>(static_cast<double>(out))) || !std::isfinite(real) ||
           std::is_same_v<To, double>;
  } else if constexpr (kIsReal<To>) {
    if constexpr (std::is_same_v<From, bool>) {
      out = To(value ? 1.0f : 0.0f);
      return true;
    } else {
      constexpr int64_t kLast = consecutive_integers<To>();
      if (std::cmp_greater(value, kLast) || std::cmp_less(value, -kLast)) return false;
      if constexpr (std::is_same_v<To, double>) {
        out = static_cast<double>(value);
      } else {
        out = To(static_cast<float>(value));
      }
      return true;
    }
  } else if constexpr (!kIsReal<From>) {
    if constexpr (std::is_same_v<To, bool>) {
      out = value != From{0};
      return value == From{0} || value == From{1};
    } else if constexpr (std::is_same_v<From, bool>) {
      out = static_cast<To>(value);
      return true;
    } else {
      out = static_cast<To>(value);
      return std::in_range<To>(value);
    }
  } else {
    return false;
  }
}

// Index of the first element that does not fit, or -1.
template <typename From, typename To>
int64_t convert_all(const ir::Tensor& from, ir::Tensor& to) {
  const std::byte* in = from.bytes();
  std::byte* out = to.mutable_bytes();
  std::array<From, kBlock> source;
  std::array<To, kBlock> target;
  for (int64_t begin = 0; begin < from.size(); begin += kBlock) {
    const int64_t count = std::min(kBlock, from.size() - begin);
    const auto n = static_cast<size_t>(count);
    std::memcpy(source.data(), in + static_cast<size_t>(begin) * sizeof(From), n * sizeof(From));
    for (size_t i = 0; i < n; ++i) {
      if (!store(source[i], target[i])) return begin + static_cast<int64_t>(i);
    }
    std::memcpy(out + static_cast<size_t>(begin) * sizeof(To), target.data(), n * sizeof(To));
  }
  return -1;
}

template <typename Bits>
int64_t find_full_exponent(const ir::Tensor& tensor, Bits mask) {
  const std::byte* bytes = tensor.bytes();
  std::array<Bits, kBlock> block;
  for (int64_t begin = 0; begin < tensor.size(); begin += kBlock) {
    const auto n = static_cast<size_t>(std::min(kBlock, tensor.size() - begin));
    std::memcpy(block.data(), bytes + static_cast<size_t>(begin) * sizeof(Bits), n * sizeof(Bits));
    bool found = false;
    for (size_t i = 0; i < n; ++i) found |= (block[i] & mask) == mask;
    if (!found) continue;
    const auto at = std::find_if(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(n),
                                 [&](Bits b) { return (b & mask) == mask; });
    return begin + (at - block.begin());
  }
  return -1;
}

}  // namespace

bool convertible(DataType from, DataType to) {
  if (from == to) return true;
  if (!is_plain(from) || !is_plain(to)) return false;
  return !ir::is_floating(from) || ir::is_floating(to);
}

ir::Tensor convert(const ir::Tensor& tensor, DataType to, const std::string& array) {
  if (tensor.type() == to) return tensor;
  if (!convertible(tensor.type(), to)) {
    fail(ErrorCode::kBadInput, "array '{}' holds {}, which is not turned into {} without loss",
         array, ir::data_type_name(tensor.type()), ir::data_type_name(to));
  }
  ir::Tensor out(to, tensor.dims());
  int64_t bad = -1;
  with_type(tensor.type(), [&]<typename From>() {
    with_type(to, [&]<typename To>() { bad = convert_all<From, To>(tensor, out); });
  });
  if (bad >= 0) {
    fail(ErrorCode::kBadInput,
         "array '{}' holds {} at element {}, which {} cannot represent; the model's input takes {}",
         array, ir::element_as_double(tensor, bad), bad, ir::data_type_name(to),
         ir::data_type_name(to));
  }
  return out;
}

int64_t find_non_finite(const ir::Tensor& tensor) {
  switch (tensor.type()) {
    case DataType::kFloat:
      if (interp::scan_range(tensor).non_finite == 0) return -1;
      return find_full_exponent<uint32_t>(tensor, 0x7f800000u);
    case DataType::kDouble:
      return find_full_exponent<uint64_t>(tensor, 0x7ff0000000000000u);
    case DataType::kFloat16:
      return find_full_exponent<uint16_t>(tensor, 0x7c00u);
    case DataType::kBfloat16:
      return find_full_exponent<uint16_t>(tensor, 0x7f80u);
    default:
      break;
  }
  if (!ir::is_floating(tensor.type())) return -1;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    if (!std::isfinite(ir::element_as_double(tensor, i))) return i;
  }
  return -1;
}

}  // namespace fettle::calib
