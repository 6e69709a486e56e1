#include "ops/cumulative.h"

#include <functional>

#include "ops/axis_view.h"
#include "ops/dispatch.h"

namespace fettle::ops {
namespace {

struct Options {
  bool exclusive;
  bool reverse;
};

// One line of `count` elements, `stride` apart.
template <typename T, typename Combine>
void accumulate_line(const T* in, T* out, int64_t count, int64_t stride, Accumulator<T> state,
                     Options options) {
  for (int64_t j = 0; j < count; ++j) {
    const int64_t at = (options.reverse ? count - 1 - j : j) * stride;
    const auto x = static_cast<Accumulator<T>>(static_cast<Work<T>>(in[at]));
    const Accumulator<T> next = Combine{}(state, x);
    out[at] = narrow<T>(options.exclusive ? state : next);
    state = next;
  }
}

// `neutral` is what the running value starts from.
template <typename Combine>
void cumulate(KernelContext& ctx, int neutral) {
  const ir::Tensor& x = ctx.input(0);
  const ir::Tensor& axis_input = ctx.input(1);
  if (axis_input.size() != 1) {
    fail(ErrorCode::kBadInput, "axis must be one number; found shape {}",
         ir::to_string(axis_input.dims()));
  }
  const int64_t axis =
      normalized_axis(ir::element_as_int(axis_input, 0), static_cast<int64_t>(x.rank()));
  const Options options{ctx.node().attr_int("exclusive", 0) != 0,
                        ctx.node().attr_int("reverse", 0) != 0};
  const AxisView view = view_along(x.dims(), axis);
  dispatch(NumericTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* in = x.data<T>().data();
    T* out = ctx.output(0, x.type(), x.dims()).template mutable_data<T>().data();
    if (x.size() == 0) return;
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t i = 0; i < view.inner; ++i) {
        const int64_t at = o * view.length * view.inner + i;
        accumulate_line<T, Combine>(in + at, out + at, view.length, view.inner,
                                    static_cast<Accumulator<T>>(neutral), options);
      }
    }
  });
}

}  // namespace

void cumulative_sum(KernelContext& ctx) {
  cumulate<std::plus<>>(ctx, 0);
}
void cumulative_product(KernelContext& ctx) {
  cumulate<std::multiplies<>>(ctx, 1);
}

}  // namespace fettle::ops
