#include "ops/arg_reduction.h"

#include <cmath>
#include <functional>

#include "ops/axis_view.h"
#include "ops/dispatch.h"
#include "ops/reduction.h"

namespace fettle::ops {
namespace {

// True when `x` replaces `best`; Before is std::greater<> or std::less<>.
template <typename Before, typename W>
bool replaces(W x, W best, bool last) {
  if constexpr (std::is_floating_point_v<W>) {
    if (std::isnan(best)) return last && std::isnan(x);
    if (std::isnan(x)) return true;
  }
  return Before{}(x, best) || (last && x == best);
}

template <typename Before>
void arg_extremum(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  const int64_t axis =
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(x.rank()));
  const bool last = ctx.node().attr_int("select_last_index", 0) != 0;
  const Reduction reduction =
      make_reduction(x.dims(), {axis}, ctx.node().attr_int("keepdims", 1) != 0);
  const AxisView view = view_along(x.dims(), axis);
  auto out = ctx.output(0, ir::DataType::kInt64, reduction.dims).mutable_data<int64_t>();
  if (view.length == 0 && !out.empty()) {
    fail(ErrorCode::kBadInput, "axis {} of shape {} is empty and has no extremum", axis,
         ir::to_string(x.dims()));
  }
  dispatch(NumericTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* data = x.data<T>().data();
    for (size_t i = 0; i < out.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      const T* line = data + at / view.inner * view.length * view.inner + at % view.inner;
      Work<T> best = line[0];
      int64_t index = 0;
      for (int64_t j = 1; j < view.length; ++j) {
        const Work<T> value = line[j * view.inner];
        if (!replaces<Before>(value, best, last)) continue;
        best = value;
        index = j;
      }
      out[i] = index;
    }
  });
}

}  // namespace

void arg_max(KernelContext& ctx) {
  arg_extremum<std::greater<>>(ctx);
}
void arg_min(KernelContext& ctx) {
  arg_extremum<std::less<>>(ctx);
}

}  // namespace fettle::ops
