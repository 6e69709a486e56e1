#include "ops/variadic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "ops/elementwise.h"
#include "ops/integer_contents.h"

namespace fettle::ops {
namespace {

struct Greater {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(a)) return a;
    }
    return a > b ? a : b;
  }
};

struct Smaller {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(a)) return a;
    }
    return a < b ? a : b;
  }
};

ir::Dims joint_dims(const KernelContext& ctx) {
  if (ctx.input_count() == 0) fail(ErrorCode::kBadInput, "expected at least one input; found none");
  ir::Dims dims = ctx.input(0).dims();
  for (size_t i = 1; i < ctx.input_count(); ++i) {
    require_same_element(ctx, 0, i);
    dims = broadcast_dims(dims, ctx.input(i).dims());
  }
  return dims;
}

// out[i] = f(out[i], x[i]) with x broadcast to `dims`.
template <typename T, typename A, typename F>
void fold_into(const ir::Dims& dims, A* out, const ir::Tensor& x, F f) {
  broadcast_binary(dims, dims, out, x.dims(), x.data<T>().data(), out, f);
}

template <typename F>
void extremum(KernelContext& ctx) {
  const ir::Dims dims = joint_dims(ctx);
  dispatch(NumericTypes{}, ctx.input(0).type(), [&]<typename T>(Tag<T>) {
    auto out = ctx.output(0, ctx.input(0).type(), dims).template mutable_data<T>();
    fold_into<T>(dims, out.data(), ctx.input(0), [](T, T x) { return x; });
    for (size_t i = 1; i < ctx.input_count(); ++i) {
      fold_into<T>(dims, out.data(), ctx.input(i), [](T a, T b) {
        return narrow<T>(F{}(static_cast<Work<T>>(a), static_cast<Work<T>>(b)));
      });
    }
  });
}

// out[i] = (sum of x[i] over all operands) / divisor, for operands of the output's shape.
template <typename T>
void sum_equal_shapes(const KernelContext& ctx, double divisor, std::span<T> out) {
  constexpr size_t kBlock = 1024;
  std::array<double, kBlock> total;
  for (size_t at = 0; at < out.size(); at += kBlock) {
    const size_t count = std::min(kBlock, out.size() - at);
    for (size_t n = 0; n < ctx.input_count(); ++n) {
      const T* x = ctx.input(n).data<T>().data() + at;
      for (size_t i = 0; i < count; ++i) {
        total[i] = n == 0 ? static_cast<double>(x[i]) : total[i] + static_cast<double>(x[i]);
      }
    }
    for (size_t i = 0; i < count; ++i) out[at + i] = narrow<T>(total[i] / divisor);
  }
}

// The same with broadcasting to `dims`.
template <typename T>
void sum_broadcast(const KernelContext& ctx, double divisor, const ir::Dims& dims,
                   std::span<T> out) {
  ir::Tensor sums(ir::DataType::kDouble, dims);
  auto total = sums.mutable_data<double>();
  fold_into<T>(dims, total.data(), ctx.input(0),
               [](double, T b) { return static_cast<double>(b); });
  for (size_t i = 1; i < ctx.input_count(); ++i) {
    fold_into<T>(dims, total.data(), ctx.input(i),
                 [](double a, T b) { return a + static_cast<double>(b); });
  }
  for (size_t i = 0; i < out.size(); ++i) out[i] = narrow<T>(total[i] / divisor);
}

void sum_over(KernelContext& ctx, double divisor) {
  const ir::Dims dims = joint_dims(ctx);
  bool equal = true;
  for (size_t i = 0; i < ctx.input_count(); ++i) equal &= ctx.input(i).dims() == dims;
  dispatch(FloatTypes{}, ctx.input(0).type(), [&]<typename T>(Tag<T>) {
    const auto out = ctx.output(0, ctx.input(0).type(), dims).template mutable_data<T>();
    if (equal) {
      sum_equal_shapes<T>(ctx, divisor, out);
    } else {
      sum_broadcast<T>(ctx, divisor, dims, out);
    }
  });
}

template <typename F>
void infer_extremum(InferContext& ctx) {
  infer_broadcast(ctx);
  if (ctx.input_count() != 2) return;
  combine_ints(ctx, [](const ir::Dim& a, const ir::Dim& b) {
    return combine_numbers(a, b, [](int64_t x, int64_t y) { return std::optional(F{}(x, y)); });
  });
}

}  // namespace

void infer_variadic_max(InferContext& ctx) {
  infer_extremum<Greater>(ctx);
}
void infer_variadic_min(InferContext& ctx) {
  infer_extremum<Smaller>(ctx);
}
void infer_variadic_sum(InferContext& ctx) {
  infer_broadcast(ctx);
}

void variadic_max(KernelContext& ctx) {
  extremum<Greater>(ctx);
}
void variadic_min(KernelContext& ctx) {
  extremum<Smaller>(ctx);
}
void variadic_sum(KernelContext& ctx) {
  sum_over(ctx, 1.0);
}
void variadic_mean(KernelContext& ctx) {
  sum_over(ctx, static_cast<double>(std::max<size_t>(ctx.input_count(), 1)));
}

}  // namespace fettle::ops
