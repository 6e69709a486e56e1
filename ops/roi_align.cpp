#include "ops/roi_align.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// Sampling points per bin along an axis beyond which a region counts as malformed.
constexpr double kMostSamples = 4096;

struct Options {
  int64_t height = 1;
  int64_t width = 1;
  int64_t sampling_ratio = 0;
  double spatial_scale = 1;
  bool maximum = false;
  bool half_pixel = false;
};

Options options_of(const ir::Node& node, bool half_pixel) {
  Options o;
  o.height = node.attr_int("output_height", 1);
  o.width = node.attr_int("output_width", 1);
  o.sampling_ratio = node.attr_int("sampling_ratio", 0);
  o.spatial_scale = node.attr_float("spatial_scale", 1.0f);
  o.half_pixel = half_pixel;
  const std::string mode = node.attr_string("mode", "avg");
  o.maximum = mode == "max";
  const bool known = o.maximum || mode == "avg";
  if (!known || o.height < 1 || o.width < 1 || o.sampling_ratio < 0 ||
      o.sampling_ratio > static_cast<int64_t>(kMostSamples)) {
    fail(ErrorCode::kBadInput,
         "expected mode avg or max, a positive output and sampling_ratio in [0, {}]; found mode "
         "'{}', output {} by {}, sampling_ratio {}",
         kMostSamples, mode, o.height, o.width, o.sampling_ratio);
  }
  return o;
}

// A region along one axis, divided into bins with `samples` points each.
struct Bins {
  double start = 0;
  double size = 0;
  int64_t samples = 0;

  Bins(const Options& o, double begin, double end, int64_t count) {
    const double offset = o.half_pixel ? 0.5 : 0.0;
    start = begin * o.spatial_scale - offset;
    double length = end * o.spatial_scale - offset - start;
    if (!o.half_pixel) length = std::max(length, 1.0);
    size = length / static_cast<double>(count);
    const double wanted = std::ceil(size);
    if (!std::isfinite(start) || !(std::fabs(wanted) <= kMostSamples)) {
      fail(ErrorCode::kBadInput, "rois: [{}, {}] is not a region", begin, end);
    }
    samples = o.sampling_ratio > 0 ? o.sampling_ratio
                                   : std::max<int64_t>(static_cast<int64_t>(wanted), 0);
  }

  double at(int64_t bin, int64_t sample) const {
    return start + static_cast<double>(bin) * size +
           (static_cast<double>(sample) + 0.5) * size / static_cast<double>(samples);
  }
};

// The two rows (or columns) around a position and the weight of the second; nothing outside.
struct Neighbors {
  bool inside = false;
  int64_t low = 0;
  int64_t high = 0;
  double fraction = 0;

  Neighbors(double x, int64_t extent) {
    inside = x >= -1.0 && x <= static_cast<double>(extent);
    if (!inside) return;
    x = std::max(x, 0.0);
    low = std::min(static_cast<int64_t>(x), extent - 1);
    high = std::min(low + 1, extent - 1);
    fraction = low == extent - 1 ? 0.0 : x - static_cast<double>(low);
  }
};

// The four weighted pixels around a position.
std::array<double, 4> weighted_pixels(const double* map, int64_t width, const Neighbors& y,
                                      const Neighbors& x) {
  if (!y.inside || !x.inside) return {0, 0, 0, 0};
  return {(1 - y.fraction) * (1 - x.fraction) * map[y.low * width + x.low],
          (1 - y.fraction) * x.fraction * map[y.low * width + x.high],
          y.fraction * (1 - x.fraction) * map[y.high * width + x.low],
          y.fraction * x.fraction * map[y.high * width + x.high]};
}

double pooled(const Options& o, const double* map, const ir::Dims& x, const Bins& rows,
              const Bins& columns, int64_t row, int64_t column) {
  double result = 0;
  bool first = true;
  for (int64_t i = 0; i < rows.samples; ++i) {
    const Neighbors y_near(rows.at(row, i), x[2]);
    for (int64_t j = 0; j < columns.samples; ++j) {
      const auto pixels =
          weighted_pixels(map, x[3], y_near, Neighbors(columns.at(column, j), x[3]));
      if (!o.maximum) {
        result += pixels[0] + pixels[1] + pixels[2] + pixels[3];
        continue;
      }
      // The maximum is over weighted pixels, as the operator is defined.
      const double best = *std::max_element(pixels.begin(), pixels.end());
      result = first ? best : std::max(result, best);
      first = false;
    }
  }
  if (o.maximum) return result;
  return result / static_cast<double>(std::max<int64_t>(rows.samples * columns.samples, 1));
}

void check_operands(const ir::Tensor& x, const ir::Tensor& rois, const ir::Tensor& batches) {
  const bool ok = x.rank() == 4 && rois.rank() == 2 && rois.dim(1) == 4 && batches.rank() == 1 &&
                  batches.dim(0) == rois.dim(0) && is_real(x.type()) && is_real(rois.type());
  if (!ok) {
    fail(ErrorCode::kBadInput,
         "expected floating-point x [N, C, H, W], rois [R, 4] and batch_indices [R], found {}, {} "
         "and {}",
         ir::to_string(x.dims()), ir::to_string(rois.dims()), ir::to_string(batches.dims()));
  }
}

void roi_align(KernelContext& context, bool half_pixel) {
  const Options o = options_of(context.node(), half_pixel);
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& rois = context.input(1);
  const ir::Tensor& batches = context.input(2);
  check_operands(x, rois, batches);
  ir::Tensor& y = context.output(0, x.type(), {rois.dim(0), x.dim(1), o.height, o.width});
  if (y.size() == 0) return;
  if (x.size() == 0) fail(ErrorCode::kBadInput, "x is empty: {}", ir::to_string(x.dims()));
  const ir::Tensor values = as_doubles(x);
  const int64_t map_size = x.dim(2) * x.dim(3);
  int64_t next = 0;
  for (int64_t r = 0; r < rois.dim(0); ++r) {
    const int64_t n = ir::element_as_int(batches, r);
    if (n < 0 || n >= x.dim(0)) {
      fail(ErrorCode::kBadInput, "batch_indices: {} is not in [0, {})", n, x.dim(0));
    }
    const auto corner = [&](int64_t i) { return ir::element_as_double(rois, r * 4 + i); };
    const Bins columns(o, corner(0), corner(2), o.width);
    const Bins rows(o, corner(1), corner(3), o.height);
    for (int64_t c = 0; c < x.dim(1); ++c) {
      const double* map = values.data<double>().data() + (n * x.dim(1) + c) * map_size;
      for (int64_t i = 0; i < o.height; ++i) {
        for (int64_t j = 0; j < o.width; ++j) {
          store_double(pooled(o, map, x.dims(), rows, columns, i, j), y, next++);
        }
      }
    }
  }
}

}  // namespace

void roi_align_10(KernelContext& context) {
  roi_align(context, false);
}

void roi_align_16(KernelContext& context) {
  const std::string mode =
      context.node().attr_string("coordinate_transformation_mode", "half_pixel");
  if (mode != "half_pixel" && mode != "output_half_pixel") {
    fail(ErrorCode::kBadInput,
         "attribute coordinate_transformation_mode: '{}' is not a known value", mode);
  }
  roi_align(context, mode == "half_pixel");
}

void infer_roi_align(InferContext& context) {
  ir::Shape out(4);
  if (const ir::Shape* rois = context.shape(1); rois != nullptr && rois->size() == 2) {
    out[0] = (*rois)[0];
  }
  if (const ir::Shape* x = context.shape(0); x != nullptr && x->size() == 4) out[1] = (*x)[1];
  const Options o = options_of(context.node(), false);
  out[2] = ir::Dim::of(o.height);
  out[3] = ir::Dim::of(o.width);
  context.set(0, context.element(0), std::move(out));
}

}  // namespace fettle::ops
