#include "ops/cast_tensor.h"

#include "ops/cast_strings.h"
#include "ops/dispatch.h"

namespace fettle::ops {
namespace {

using ir::DataType;

// Types with a C++ type of their own; the others are reached through one of these.
using PlainTypes = decltype(NumericTypes{} + BoolType{});

bool is_plain(DataType type) {
  return type == DataType::kBool || (ir::is_integer(type) && !ir::is_sub_byte(type)) ||
         type == DataType::kFloat || type == DataType::kDouble || type == DataType::kFloat16 ||
         type == DataType::kBfloat16;
}

template <typename To>
To integer_from_real(double value) {
  if constexpr (sizeof(To) < 4) {
    return static_cast<To>(truncate_to<int32_t>(value));
  } else if constexpr (std::is_same_v<To, uint32_t>) {
    return static_cast<To>(truncate_to<int64_t>(value));
  } else {
    return truncate_to<To>(value);
  }
}

template <typename From, typename To>
To converted(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return static_cast<Work<From>>(x) != Work<From>{0};
  } else if constexpr (kIsHalf<To> && std::is_integral_v<From>) {
    return narrow<To>(static_cast<double>(x));
  } else if constexpr (kIsFloating<To>) {
    return narrow<To>(static_cast<Work<From>>(x));
  } else if constexpr (kIsFloating<From>) {
    return integer_from_real<To>(static_cast<double>(x));
  } else {
    return static_cast<To>(x);
  }
}

// Bool tensors are read as bytes, any of which but 0 is true.
template <typename From>
auto elements_of(const ir::Tensor& x) {
  if constexpr (std::is_same_v<From, bool>) {
    return x.data<uint8_t>();
  } else {
    return x.data<From>();
  }
}

ir::Tensor cast_plain(const ir::Tensor& x, DataType to) {
  ir::Tensor y(to, x.dims());
  dispatch(PlainTypes{}, x.type(), [&]<typename From>(Tag<From>) {
    const auto in = elements_of<From>(x);
    dispatch(PlainTypes{}, to, [&]<typename To>(Tag<To>) {
      auto out = y.mutable_data<To>();
      for (size_t i = 0; i < in.size(); ++i) {
        if constexpr (std::is_same_v<From, bool>) {
          out[i] = converted<uint8_t, To>(in[i] != 0 ? 1 : 0);
        } else {
          out[i] = converted<From, To>(in[i]);
        }
      }
    });
  });
  return y;
}

// Elements of a sub-byte integer type as int8, of an 8- or 4-bit float as float; both exact.
ir::Tensor widened(const ir::Tensor& x) {
  if (ir::is_integer(x.type())) {
    ir::Tensor y(DataType::kInt8, x.dims());
    auto out = y.mutable_data<int8_t>();
    for (int64_t i = 0; i < x.size(); ++i) {
      out[static_cast<size_t>(i)] = static_cast<int8_t>(ir::element_as_int(x, i));
    }
    return y;
  }
  ir::Tensor y(DataType::kFloat, x.dims());
  auto out = y.mutable_data<float>();
  for (int64_t i = 0; i < x.size(); ++i) {
    out[static_cast<size_t>(i)] = static_cast<float>(ir::element_as_double(x, i));
  }
  return y;
}

// Packs codes of `bits` bits, the first element in the lowest bits.
template <typename Code>
ir::Tensor packed(const ir::Tensor& x, DataType to, Code code) {
  ir::Tensor y(to, x.dims());
  auto* bytes = reinterpret_cast<uint8_t*>(y.mutable_bytes());
  const int bits = ir::data_type_bits(to);
  const int per_byte = 8 / bits;
  const unsigned mask = (1u << bits) - 1u;
  for (int64_t i = 0; i < x.size(); ++i) {
    const int slot = static_cast<int>(i % per_byte);
    if (slot == 0) bytes[i / per_byte] = 0;
    bytes[i / per_byte] |= static_cast<uint8_t>((code(i) & mask) << (slot * bits));
  }
  return y;
}

// To a type without a C++ type of its own, from a plain one.
ir::Tensor cast_small(const ir::Tensor& x, DataType to, const CastOptions& options) {
  if (ir::is_integer(to)) {
    const ir::Tensor low = cast_plain(x, DataType::kInt8);
    const auto in = low.data<int8_t>();
    return packed(low, to, [&](int64_t i) {
      return static_cast<unsigned>(static_cast<uint8_t>(in[static_cast<size_t>(i)]));
    });
  }
  const ir::Tensor wide = cast_plain(x, DataType::kDouble);
  const auto in = wide.data<double>();
  return packed(wide, to, [&](int64_t i) -> unsigned {
    const double value = in[static_cast<size_t>(i)];
    if (to == DataType::kFloat4E2M1) return encode_float4_e2m1(value);
    if (to == DataType::kFloat8E8M0) {
      return encode_float8_e8m0(value, options.saturate, options.e8m0_rounding);
    }
    return encode_float8(to, value, options.saturate);
  });
}

void refuse_complex(DataType type) {
  if (type == DataType::kComplex64 || type == DataType::kComplex128) {
    fail(ErrorCode::kUnsupported, "conversion of {} is not supported", ir::data_type_name(type));
  }
}

}  // namespace

ir::Tensor cast_tensor(const ir::Tensor& x, DataType to, const CastOptions& options) {
  refuse_complex(x.type());
  refuse_complex(to);
  if (x.type() == to) return x;
  if (to == DataType::kString) {
    return strings_of(is_plain(x.type()) ? x : widened(x));
  }
  if (x.type() == DataType::kString) {
    return cast_tensor(numbers_in(x, to), to, options);
  }
  const ir::Tensor plain = is_plain(x.type()) ? x : widened(x);
  return is_plain(to) ? cast_plain(plain, to) : cast_small(plain, to, options);
}

}  // namespace fettle::ops
