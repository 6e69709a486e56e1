#include "ops/power.h"

#include <cmath>

#include "ops/elementwise.h"

namespace fettle::ops {
namespace {

// Exponents 2 and 3 are common and need no pow(): the products are exact or correct to 2^-52.
double real_power(double base, double exponent) {
  if (exponent == 2.0) return base * base;
  if (exponent == 3.0) return base * base * base;
  return std::pow(base, exponent);
}

template <typename T>
T integer_power(T base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) fail(ErrorCode::kBadInput, "0 to the negative power {}", exponent);
    if (base == 1) return 1;
    if constexpr (std::is_signed_v<T>) {
      if (base == -1) return static_cast<T>(exponent % 2 == 0 ? 1 : -1);
    }
    return 0;
  }
  uint64_t result = 1;
  uint64_t square = static_cast<uint64_t>(base);
  for (auto left = static_cast<uint64_t>(exponent); left != 0; left >>= 1) {
    if ((left & 1u) != 0) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

template <typename T, typename E>
T power_of(T base, E exponent) {
  if constexpr (kIsFloating<T>) {
    return narrow<T>(real_power(static_cast<double>(base), static_cast<double>(exponent)));
  } else if constexpr (std::is_same_v<E, double>) {
    return truncate_to<T>(real_power(static_cast<double>(base), exponent));
  } else {
    return integer_power(base, exponent);
  }
}

// The exponents as int64 when they are integers, else as double.
ir::Tensor widened(const ir::Tensor& exponent) {
  const bool integral = ir::is_integer(exponent.type());
  ir::Tensor wide(integral ? ir::DataType::kInt64 : ir::DataType::kDouble, exponent.dims());
  dispatch(NumericTypes{}, exponent.type(), [&]<typename T>(Tag<T>) {
    using Wide = std::conditional_t<std::is_integral_v<T>, int64_t, double>;
    const auto in = exponent.data<T>();
    auto out = wide.mutable_data<Wide>();
    for (size_t i = 0; i < in.size(); ++i) out[i] = static_cast<Wide>(in[i]);
  });
  return wide;
}

void power_as(KernelContext& ctx, const ir::Dims& exponent_dims) {
  const ir::Tensor& base = ctx.input(0);
  const ir::Tensor exponent = widened(ctx.input(1));
  const ir::Dims dims = broadcast_dims(base.dims(), exponent_dims);
  dispatch(NumericTypes{}, base.type(), [&]<typename T>(Tag<T>) {
    auto out = ctx.output(0, base.type(), dims).template mutable_data<T>();
    dispatch(TypeList<int64_t, double>{}, exponent.type(), [&]<typename E>(Tag<E>) {
      broadcast_binary(dims, base.dims(), base.data<T>().data(), exponent_dims,
                       exponent.data<E>().data(), out.data(), power_of<T, E>);
    });
  });
}

}  // namespace

void infer_power(InferContext& ctx) {
  const bool known = ctx.shape(0) != nullptr && ctx.shape(1) != nullptr;
  ctx.set(0, ctx.element(0),
          known ? std::optional(broadcast_shapes(*ctx.shape(0), *ctx.shape(1))) : std::nullopt);
}

void power(KernelContext& ctx) {
  power_as(ctx, ctx.input(1).dims());
}

void legacy_power(KernelContext& ctx) {
  require_same_element(ctx, 0, 1);
  power_as(ctx, legacy_broadcast_dims(ctx.node(), ctx.input(0).dims(), ctx.input(1).dims()));
}

}  // namespace fettle::ops
