#include "interp/cast.h"

#include <algorithm>
#include <array>

#include "interp/parallel.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

using ir::DataType;

// A truth value in a byte: any but 0 is true.
struct Bool {};

template <typename T>
struct StoredAs {
  using type = T;
};
template <>
struct StoredAs<Bool> {
  using type = uint8_t;
};

// Truncated toward zero, saturated, NaN as 0; bytes keep the low bits of the int32.
template <typename To>
[[gnu::always_inline]] inline To integer_of(double x) {
  if constexpr (sizeof(To) == 8) {
    constexpr double kBeyond = 0x1p63;
    if (!(x < kBeyond)) return x >= kBeyond ? INT64_MAX : 0;
    return x <= -kBeyond ? INT64_MIN : static_cast<int64_t>(x);
  } else {
    double y = x == x ? x : 0.0;
    y = y > -2147483648.0 ? y : -2147483648.0;
    y = y < 2147483647.0 ? y : 2147483647.0;
    return static_cast<To>(static_cast<int32_t>(y));
  }
}

template <typename From, typename To>
[[gnu::always_inline]] inline void convert(const void* from, void* to, int64_t begin, int64_t end) {
  using Source = typename StoredAs<From>::type;
  using Target = typename StoredAs<To>::type;
  const auto* x = static_cast<const Source*>(from);
  auto* y = static_cast<Target*>(to);
  for (int64_t i = begin; i < end; ++i) {
    if constexpr (std::is_same_v<To, Bool>) {
      y[i] = x[i] != Source{0} ? 1 : 0;
    } else if constexpr (std::is_same_v<From, Bool>) {
      y[i] = static_cast<Target>(x[i] != 0 ? 1 : 0);
    } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      y[i] = integer_of<To>(static_cast<double>(x[i]));
    } else {
      y[i] = static_cast<Target>(x[i]);
    }
  }
}

using Convert = void (*)(const void* from, void* to, int64_t begin, int64_t end);

#define FETTLE_CONVERT(name, From, To)                                                  \
  FETTLE_VECTORIZED void name(const void* from, void* to, int64_t begin, int64_t end) { \
    convert<From, To>(from, to, begin, end);                                            \
  }
#define FETTLE_CONVERT_FROM(prefix, From)          \
  FETTLE_CONVERT(prefix##_to_float, From, float)   \
  FETTLE_CONVERT(prefix##_to_int64, From, int64_t) \
  FETTLE_CONVERT(prefix##_to_int32, From, int32_t) \
  FETTLE_CONVERT(prefix##_to_int8, From, int8_t)   \
  FETTLE_CONVERT(prefix##_to_uint8, From, uint8_t) \
  FETTLE_CONVERT(prefix##_to_bool, From, Bool)
FETTLE_CONVERT_FROM(float, float)
FETTLE_CONVERT_FROM(int64, int64_t)
FETTLE_CONVERT_FROM(int32, int32_t)
FETTLE_CONVERT_FROM(int8, int8_t)
FETTLE_CONVERT_FROM(uint8, uint8_t)
FETTLE_CONVERT_FROM(bool, Bool)
#undef FETTLE_CONVERT_FROM
#undef FETTLE_CONVERT

constexpr std::array kTypes{DataType::kFloat, DataType::kInt64, DataType::kInt32,
                            DataType::kInt8,  DataType::kUint8, DataType::kBool};
#define FETTLE_ROW(prefix)                                                                        \
  std::array<Convert, 6> {                                                                        \
    prefix##_to_float, prefix##_to_int64, prefix##_to_int32, prefix##_to_int8, prefix##_to_uint8, \
        prefix##_to_bool                                                                          \
  }
// By source, then by target, in the order of kTypes.
const std::array<std::array<Convert, 6>, 6> kConverts{FETTLE_ROW(float), FETTLE_ROW(int64),
                                                      FETTLE_ROW(int32), FETTLE_ROW(int8),
                                                      FETTLE_ROW(uint8), FETTLE_ROW(bool)};
#undef FETTLE_ROW

// Place in kTypes, or its size.
size_t place_of(DataType type) {
  return static_cast<size_t>(std::find(kTypes.begin(), kTypes.end(), type) - kTypes.begin());
}

class Cast : public AcceleratedKernel {
 public:
  explicit Cast(DataType to) : to_(to), column_(place_of(to)) {}

  bool run(Call& call) override {
    const DataType type = call.type(0);
    if (type == DataType::kUndefined) return false;
    if (type == to_) {
      call.forward(0, 0);
      return true;
    }
    const size_t row = place_of(type);
    if (row == kTypes.size() || column_ == kTypes.size()) return false;
    const ir::Tensor& in = *call.tensor(0);
    ir::Tensor out(to_, in.dims());
    const std::byte* from = in.bytes();
    std::byte* to = out.mutable_bytes();
    const Convert convert = kConverts[row][column_];
    for_chunks(in.size(), [&](int64_t begin, int64_t end) { convert(from, to, begin, end); });
    call.set(0, std::move(out));
    return true;
  }

 private:
  DataType to_;
  size_t column_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_cast(const NodeFacts& facts) {
  if (facts.opset < 6) return nullptr;
  const int64_t number = facts.node->attr_int("to", 0);
  if (number <= 0 || number > INT32_MAX) return nullptr;
  const auto type = ir::data_type_from_onnx(static_cast<int32_t>(number));
  if (!type || *type == DataType::kUndefined) return nullptr;
  return std::make_unique<Cast>(*type);
}

}  // namespace fettle::interp
