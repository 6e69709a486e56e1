#include "ops/local_normalization.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/axis_view.h"
#include "ops/dispatch.h"
#include "ops/reduction.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

struct LrnSettings {
  double alpha;
  double beta;
  double bias;
  int64_t size;
};

// Exponent 3/4, the default, needs no pow().
double power(double base, double exponent) {
  if (exponent == 0.75) return std::sqrt(base) * std::sqrt(std::sqrt(base));
  return std::pow(base, exponent);
}

// One instance [channels, spatial]. `sums` is scratch of `spatial` numbers.
template <typename T>
void respond(const T* in, T* out, int64_t channels, int64_t spatial, const LrnSettings& s,
             std::vector<double>& sums) {
  const int64_t below = (s.size - 1) / 2;
  const int64_t above = s.size - 1 - below;
  for (int64_t c = 0; c < channels; ++c) {
    std::fill(sums.begin(), sums.end(), 0.0);
    const int64_t last = above >= channels - c ? channels - 1 : c + above;
    for (int64_t i = std::max<int64_t>(0, c - below); i <= last; ++i) {
      for (int64_t j = 0; j < spatial; ++j) {
        const double x = in[i * spatial + j];
        sums[static_cast<size_t>(j)] += x * x;
      }
    }
    for (int64_t j = 0; j < spatial; ++j) {
      const double base =
          s.bias + s.alpha / static_cast<double>(s.size) * sums[static_cast<size_t>(j)];
      out[c * spatial + j] =
          narrow<T>(static_cast<double>(in[c * spatial + j]) / power(base, s.beta));
    }
  }
}

}  // namespace

void local_response_normalization(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  const ir::Node& node = ctx.node();
  const LrnSettings s{node.attr_float("alpha", 1e-4f), node.attr_float("beta", 0.75f),
                      node.attr_float("bias", 1.0f), node.attr_int("size", 0)};
  if (s.size < 1) {
    fail(ErrorCode::kBadInput, "attribute size must be positive; found {}", s.size);
  }
  if (x.rank() < 2) {
    fail(ErrorCode::kBadInput, "expected X of rank 2 or more; found {}", ir::to_string(x.dims()));
  }
  const AxisView view = view_along(x.dims(), 1);
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* in = x.data<T>().data();
    T* out = ctx.output(0, x.type(), x.dims()).template mutable_data<T>().data();
    if (x.size() == 0) return;
    std::vector<double> sums = scratch<double>(view.inner);
    for (int64_t n = 0; n < view.outer; ++n) {
      const int64_t at = n * view.length * view.inner;
      respond(in + at, out + at, view.length, view.inner, s, sums);
    }
  });
}

void lp_normalization(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  const int64_t p = ctx.node().attr_int("p", 2);
  if (p != 1 && p != 2) fail(ErrorCode::kBadInput, "attribute p must be 1 or 2; found {}", p);
  const int64_t axis =
      normalized_axis(ctx.node().attr_int("axis", -1), static_cast<int64_t>(x.rank()));
  const Reduction reduction = make_reduction(x.dims(), {axis}, true);
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* in = x.data<T>().data();
    T* out = ctx.output(0, x.type(), x.dims()).template mutable_data<T>().data();
    std::vector<double> norms = scratch<double>(ir::element_count(reduction.kept));
    fold_elements(x.dims(), reduction.kept, in, norms.data(), [p](double& sum, T element) {
      const double v = element;
      sum += p == 1 ? std::abs(v) : v * v;
    });
    if (p == 2) {
      for (double& norm : norms) norm = std::sqrt(norm);
    }
    broadcast_binary(x.dims(), x.dims(), in, reduction.kept, norms.data(), out,
                     [](T v, double norm) {
                       return narrow<T>(norm == 0 ? 0.0 : static_cast<double>(v) / norm);
                     });
  });
}

void mean_variance_normalization(KernelContext& ctx) {
  constexpr double kEpsilon = 1e-9;
  const ir::Tensor& x = ctx.input(0);
  std::vector<int64_t> axes = ctx.node().attr_ints("axes");
  if (!ctx.node().has_attribute("axes")) axes = {0, 2, 3};
  const Reduction reduction = make_reduction(x.dims(), axes, true);
  Moments moments = moments_of(x, reduction);
  for (double& v : moments.variance) v = std::sqrt(v) + kEpsilon;
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    T* out = ctx.output(0, x.type(), x.dims()).template mutable_data<T>().data();
    broadcast_ternary(x.dims(), x.dims(), x.data<T>().data(), reduction.kept, moments.mean.data(),
                      reduction.kept, moments.variance.data(), out,
                      [](T v, double mean, double deviation) {
                        return narrow<T>((static_cast<double>(v) - mean) / deviation);
                      });
  });
}

}  // namespace fettle::ops
