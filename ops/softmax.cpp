// Softmax, LogSoftmax and Hardmax: along one axis since version 13; before that over everything
// from the axis on, coerced to two dimensions.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/axis_view.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

AxisView view_since_13(const KernelContext& ctx) {
  const ir::Dims& dims = ctx.input(0).dims();
  const int64_t axis =
      normalized_axis(ctx.node().attr_int("axis", -1), static_cast<int64_t>(dims.size()));
  return view_along(dims, axis);
}

// axis = rank gives lines of one element.
AxisView view_before_13(const KernelContext& ctx) {
  const ir::Dims& dims = ctx.input(0).dims();
  const auto rank = static_cast<int64_t>(dims.size());
  int64_t axis = ctx.node().attr_int("axis", 1);
  if (axis != rank) axis = normalized_axis(axis, rank);
  const auto at = dims.begin() + axis;
  return {ir::element_count(ir::Dims(dims.begin(), at)),
          ir::element_count(ir::Dims(at, dims.end())), 1};
}

double greatest(const std::vector<double>& line) {
  double best = -std::numeric_limits<double>::infinity();
  for (const double x : line) best = std::isnan(x) || x > best ? x : best;
  return best;
}

// Functors that replace a line by its result.
struct Softmax {
  void operator()(std::vector<double>& line) const {
    const double shift = greatest(line);
    double sum = 0;
    for (double& x : line) sum += x = std::exp(x - shift);
    for (double& x : line) x /= sum;
  }
};

struct LogSoftmax {
  void operator()(std::vector<double>& line) const {
    const double shift = greatest(line);
    double sum = 0;
    for (const double x : line) sum += std::exp(x - shift);
    const double log_sum = std::log(sum);
    for (double& x : line) x = x - shift - log_sum;
  }
};

// 1 at the first maximum, 0 elsewhere.
struct Hardmax {
  void operator()(std::vector<double>& line) const {
    const auto best = std::max_element(line.begin(), line.end());
    const auto index = best - line.begin();
    std::fill(line.begin(), line.end(), 0.0);
    line[static_cast<size_t>(index)] = 1.0;
  }
};

template <typename F>
void transform_lines(KernelContext& ctx, const AxisView& view) {
  const ir::Tensor& x = ctx.input(0);
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* in = x.data<T>().data();
    T* out = ctx.output(0, x.type(), x.dims()).template mutable_data<T>().data();
    if (x.size() == 0) return;
    std::vector<double> line = scratch<double>(view.length);
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t i = 0; i < view.inner; ++i) {
        const int64_t at = o * view.length * view.inner + i;
        for (size_t j = 0; j < line.size(); ++j) {
          line[j] = static_cast<double>(in[at + static_cast<int64_t>(j) * view.inner]);
        }
        F{}(line);
        for (size_t j = 0; j < line.size(); ++j) {
          out[at + static_cast<int64_t>(j) * view.inner] = narrow<T>(line[j]);
        }
      }
    }
  });
}

template <typename F>
void kernel_since_13(KernelContext& ctx) {
  transform_lines<F>(ctx, view_since_13(ctx));
}

template <typename F>
void kernel_before_13(KernelContext& ctx) {
  transform_lines<F>(ctx, view_before_13(ctx));
}

// `beyond`: how far the axis may lie behind the last.
void infer_with_axis(InferContext& ctx, int64_t default_axis, int64_t beyond) {
  infer_like_input(ctx);
  if (ctx.shape(0) == nullptr) return;
  const auto rank = static_cast<int64_t>(ctx.shape(0)->size());
  const int64_t axis = ctx.node().attr_int("axis", default_axis);
  if (axis != rank || beyond == 0) normalized_axis(axis, rank);
}

void infer_since_13(InferContext& ctx) {
  infer_with_axis(ctx, -1, 0);
}
void infer_before_13(InferContext& ctx) {
  infer_with_axis(ctx, 1, 1);
}

constexpr OpDef kRows[] = {
    {"", "Softmax", 1, infer_before_13, kernel_before_13<Softmax>},
    {"", "Softmax", 13, infer_since_13, kernel_since_13<Softmax>},
    {"", "LogSoftmax", 1, infer_before_13, kernel_before_13<LogSoftmax>},
    {"", "LogSoftmax", 13, infer_since_13, kernel_since_13<LogSoftmax>},
    {"", "Hardmax", 1, infer_before_13, kernel_before_13<Hardmax>},
    {"", "Hardmax", 13, infer_since_13, kernel_since_13<Hardmax>},
};

}  // namespace

std::span<const OpDef> softmax_ops() {
  return kRows;
}

}  // namespace fettle::ops
