#include "ops/resample.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"
#include "ops/checked.h"
#include "ops/element_width.h"

namespace fettle::ops {
namespace {

// The formulas in the arithmetic type R.
template <typename R>
R position(CoordinateMode mode, const AxisScale& a, R x) {
  const R scale = static_cast<R>(a.scale);
  const R length = scale * static_cast<R>(a.input);
  const R last = static_cast<R>(a.input - 1);
  const R half = static_cast<R>(0.5);
  switch (mode) {
    case CoordinateMode::kHalfPixel:
      return (x + half) / scale - half;
    case CoordinateMode::kHalfPixelSymmetric: {
      const R adjustment = static_cast<R>(a.output) / length;
      return static_cast<R>(a.input) / 2 * (1 - adjustment) + (x + half) / scale - half;
    }
    case CoordinateMode::kPytorchHalfPixel:
      return a.output > 1 ? (x + half) / scale - half : 0;
    case CoordinateMode::kAlignCorners:
      return a.output == 1 || length == 1 ? 0 : x * last / (length - 1);
    case CoordinateMode::kAsymmetric:
      return x / scale;
    case CoordinateMode::kTfHalfPixelForNn:
      return (x + half) / scale;
    case CoordinateMode::kTfCropAndResize: {
      const R begin = static_cast<R>(a.roi_begin);
      const R end = static_cast<R>(a.roi_end);
      if (a.output == 1) return (begin + end) * last / 2;
      return begin * last + x * (end - begin) * last / static_cast<R>(a.output - 1);
    }
  }
  return 0;
}

double nearest(NearestMode mode, double scale, double x) {
  switch (mode) {
    case NearestMode::kRoundPreferFloor:
      return std::ceil(x - 0.5);
    case NearestMode::kRoundPreferCeil:
      return std::floor(x + 0.5);
    case NearestMode::kFloor:
      return std::floor(x);
    case NearestMode::kCeil:
      return std::ceil(x);
    case NearestMode::kCeilWhenShrinking:
      return scale < 1 ? std::ceil(x) : std::floor(x);
  }
  return x;
}

// The cubic convolution kernel of Keys (1981) with coefficient `a`.
double cubic_kernel(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

double linear_kernel(double x) {
  return std::max(0.0, 1 - std::fabs(x));
}

// Adds the taps around `x`: support 1 (linear) or 2 (cubic), stretched by 1 / scale when
// antialiasing a reduction. Positions outside repeat the edge or are excluded.
void add_weighted(const ResampleOptions& options, const AxisScale& axis, double x, AxisTaps& taps) {
  const bool cubic = options.interpolation == Interpolation::kCubic;
  const double stretch = options.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double base = std::floor(x);
  const auto reach = static_cast<int64_t>(std::ceil((cubic ? 2 : 1) / stretch));
  const size_t start = taps.index.size();
  double sum = 0;
  for (int64_t k = 1 - reach; k <= reach; ++k) {
    const double at = base + static_cast<double>(k);
    if (options.exclude_outside && (at < 0 || at > static_cast<double>(axis.input - 1))) continue;
    const double distance = (at - x) * stretch;
    const double weight =
        cubic ? cubic_kernel(distance, options.cubic_coefficient) : linear_kernel(distance);
    if (weight == 0) continue;
    taps.index.push_back(
        static_cast<int64_t>(std::clamp(at, 0.0, static_cast<double>(axis.input - 1))));
    taps.weight.push_back(weight);
    sum += weight;
  }
  if (!options.antialias && !options.exclude_outside) return;
  for (size_t i = start; sum != 0 && i < taps.weight.size(); ++i) taps.weight[i] /= sum;
}

// Elements along an axis: x seen as [outer, extent, inner].
struct AxisView {
  int64_t outer = 1;
  int64_t inner = 1;

  AxisView(const ir::Dims& dims, size_t axis) {
    for (size_t a = 0; a < axis; ++a) outer *= dims[a];
    for (size_t a = axis + 1; a < dims.size(); ++a) inner *= dims[a];
  }
};

}  // namespace

double source_position(CoordinateMode mode, const AxisScale& axis, double x) {
  return position<double>(mode, axis, x);
}

AxisTaps axis_taps(const ResampleOptions& options, const AxisScale& axis) {
  FETTLE_ASSERT(axis.input > 0 && axis.scale > 0);
  const bool single = options.interpolation == Interpolation::kNearest;
  const double each = single ? 1 : 4 / (options.antialias ? std::min(axis.scale, 1.0) : 1.0) + 4;
  const double bytes = static_cast<double>(axis.output) * (8 + 16 * each);
  if (!(bytes < 1e15)) fail(ErrorCode::kLimit, "scale {} needs too many taps", axis.scale);
  ir::require_memory(static_cast<size_t>(bytes));
  AxisTaps taps;
  for (int64_t o = 0; o < axis.output; ++o) {
    taps.first.push_back(static_cast<int64_t>(taps.index.size()));
    // Which element is nearest is decided in float32, the type of the scales: scale 4/3 then maps
    // 4 to 3 and not to a little less, as in runtimes.
    const double x = single ? position<float>(options.coordinates, axis, static_cast<float>(o))
                            : source_position(options.coordinates, axis, static_cast<double>(o));
    const double last = static_cast<double>(axis.input - 1);
    if (!std::isfinite(x)) {
      fail(ErrorCode::kBadInput, "position {} of axis {} has no place in the input", o, axis.axis);
    }
    if (options.coordinates == CoordinateMode::kTfCropAndResize && (x < 0 || x > last)) continue;
    if (!single) {
      add_weighted(options, axis, x, taps);
      continue;
    }
    taps.index.push_back(
        static_cast<int64_t>(std::clamp(nearest(options.nearest, axis.scale, x), 0.0, last)));
    taps.weight.push_back(1);
  }
  taps.first.push_back(static_cast<int64_t>(taps.index.size()));
  return taps;
}

ir::Tensor resample_axis(const ir::Tensor& x, size_t axis, const AxisTaps& taps,
                         double extrapolation) {
  const AxisView view(x.dims(), axis);
  const int64_t in_extent = x.dim(axis);
  const auto out_extent = static_cast<int64_t>(taps.first.size()) - 1;
  ir::Dims dims = x.dims();
  dims[axis] = out_extent;
  ir::Tensor y(ir::DataType::kDouble, dims);
  const double* in = x.data<double>().data();
  double* out = y.mutable_data<double>().data();
  for (int64_t n = 0; n < view.outer; ++n) {
    for (int64_t o = 0; o < out_extent; ++o, out += view.inner) {
      const auto at = static_cast<size_t>(o);
      const bool outside = taps.first[at] == taps.first[at + 1];
      std::fill_n(out, view.inner, outside ? extrapolation : 0.0);
      for (auto t = static_cast<size_t>(taps.first[at]);
           t < static_cast<size_t>(taps.first[at + 1]); ++t) {
        const double* from = in + (n * in_extent + taps.index[t]) * view.inner;
        const double weight = taps.weight[t];
        for (int64_t i = 0; i < view.inner; ++i) out[i] += weight * from[i];
      }
    }
  }
  return y;
}

ir::Tensor gather_axis(const ir::Tensor& x, size_t axis, const AxisTaps& taps,
                       const ir::Tensor& extrapolation) {
  const AxisView view(x.dims(), axis);
  const int64_t in_extent = x.dim(axis);
  const auto out_extent = static_cast<int64_t>(taps.first.size()) - 1;
  ir::Dims dims = x.dims();
  dims[axis] = out_extent;
  ir::Tensor y(x.type(), dims);
  with_element(x.type(), [&]<typename T>(ElementTag<T>) {
    const T* in = elements<T>(x);
    T* out = mutable_elements<T>(y);
    for (int64_t n = 0; n < view.outer; ++n) {
      for (int64_t o = 0; o < out_extent; ++o, out += view.inner) {
        const auto at = static_cast<size_t>(o);
        if (taps.first[at] == taps.first[at + 1]) {
          std::fill_n(out, view.inner, *elements<T>(extrapolation));
          continue;
        }
        const int64_t index = taps.index[static_cast<size_t>(taps.first[at])];
        std::copy_n(in + (n * in_extent + index) * view.inner, view.inner, out);
      }
    }
  });
  return y;
}

}  // namespace fettle::ops
