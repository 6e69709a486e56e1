#include "ops/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "ops/axis_view.h"
#include "ops/dims.h"
#include "ops/dispatch.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

// A total order: numbers, then NaN.
template <typename W>
bool less(W a, W b) {
  if constexpr (std::is_floating_point_v<W>) {
    if (std::isnan(b)) return !std::isnan(a);
  }
  return a < b;
}

// The first k indices of a line in the wanted order, equal elements by index.
template <typename W>
void select(const std::vector<W>& line, std::vector<int64_t>& indices, int64_t k, bool largest) {
  std::iota(indices.begin(), indices.end(), 0);
  std::partial_sort(indices.begin(), indices.begin() + k, indices.end(), [&](int64_t i, int64_t j) {
    const W a = line[static_cast<size_t>(i)];
    const W b = line[static_cast<size_t>(j)];
    if (largest ? less(b, a) : less(a, b)) return true;
    if (largest ? less(a, b) : less(b, a)) return false;
    return i < j;
  });
}

void topk(KernelContext& ctx, int64_t k) {
  const ir::Tensor& x = ctx.input(0);
  const int64_t axis =
      normalized_axis(ctx.node().attr_int("axis", -1), static_cast<int64_t>(x.rank()));
  const bool largest = ctx.node().attr_int("largest", 1) != 0;
  const AxisView view = view_along(x.dims(), axis);
  if (k < 0 || k > view.length) {
    fail(ErrorCode::kBadInput, "expected 0 <= k <= {}, the extent of axis {}; found {}",
         view.length, axis, k);
  }
  ir::Dims dims = x.dims();
  dims[static_cast<size_t>(axis)] = k;
  dispatch(NumericTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    using W = Work<T>;
    const T* in = x.data<T>().data();
    T* values = ctx.output(0, x.type(), dims).template mutable_data<T>().data();
    int64_t* places = nullptr;
    if (ctx.output_count() > 1) {
      places = ctx.output(1, ir::DataType::kInt64, dims).mutable_data<int64_t>().data();
    }
    if (x.size() == 0 || k == 0) return;
    std::vector<W> line = scratch<W>(view.length);
    std::vector<int64_t> indices = scratch<int64_t>(view.length);
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t i = 0; i < view.inner; ++i) {
        const T* from = in + o * view.length * view.inner + i;
        for (int64_t j = 0; j < view.length; ++j) {
          line[static_cast<size_t>(j)] = static_cast<W>(from[j * view.inner]);
        }
        select(line, indices, k, largest);
        const int64_t to = o * k * view.inner + i;
        for (int64_t j = 0; j < k; ++j) {
          const int64_t index = indices[static_cast<size_t>(j)];
          values[to + j * view.inner] = from[index * view.inner];
          if (places != nullptr) places[to + j * view.inner] = index;
        }
      }
    }
  });
}

void infer_with(InferContext& ctx, const ir::Dim& k) {
  const ir::Shape* shape = ctx.shape(0);
  if (shape == nullptr) {
    ctx.set(0, ctx.element(0));
    ctx.set(1, ir::DataType::kInt64);
    return;
  }
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", -1), static_cast<int64_t>(shape->size())));
  ir::Shape out = *shape;
  if (k.known() && out[axis].known() && k.value > out[axis].value) {
    fail(ErrorCode::kBadInput, "k = {} exceeds the extent {} of axis {}", k.value, out[axis].value,
         axis);
  }
  out[axis] = k;
  ctx.set(0, ctx.element(0), out);
  ctx.set(1, ir::DataType::kInt64, out);
}

}  // namespace

void infer_topk_by_attribute(InferContext& ctx) {
  infer_with(ctx, int_of(ctx.node().attr_int("k", -1)));
}

void infer_topk_by_input(InferContext& ctx) {
  const auto k = ctx.ints(1);
  infer_with(ctx, k && k->size() == 1 ? k->front() : ir::Dim::unknown());
}

void topk_by_attribute(KernelContext& ctx) {
  topk(ctx, ctx.node().attr_int("k", -1));
}

void topk_by_input(KernelContext& ctx) {
  const ir::Tensor& k = ctx.input(1);
  if (k.size() != 1) {
    fail(ErrorCode::kBadInput, "K must be one number; found shape {}", ir::to_string(k.dims()));
  }
  topk(ctx, ir::element_as_int(k, 0));
}

}  // namespace fettle::ops
