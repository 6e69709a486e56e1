#include "ops/max_roi_pool.h"

#include <algorithm>
#include <cmath>

#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

ir::Dims pooled_shape(const ir::Node& node) {
  const ir::Dims shape = node.attr_ints("pooled_shape");
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1) {
    fail(ErrorCode::kBadInput, "attribute 'pooled_shape': expected 2 positive extents, found {}",
         ir::to_string(shape));
  }
  return shape;
}

// A region along one axis, in whole pixels, and its bins.
class Bins {
 public:
  Bins(double begin, double end, double scale, int64_t count, int64_t extent) : extent_(extent) {
    const double first = std::round(begin * scale);
    const double last = std::round(end * scale);
    if (!(std::fabs(first) < 0x1p31) || !(std::fabs(last) < 0x1p31)) {
      fail(ErrorCode::kBadInput, "rois: [{}, {}] is not a region", begin, end);
    }
    start_ = static_cast<int64_t>(first);
    size_ = std::max(last - first + 1, 1.0) / static_cast<double>(count);
  }
  // Pixels [first, last) of bin i inside the map.
  int64_t first(int64_t i) const { return clipped(std::floor(static_cast<double>(i) * size_)); }
  int64_t last(int64_t i) const { return clipped(std::ceil(static_cast<double>(i + 1) * size_)); }

 private:
  int64_t clipped(double pixel) const {
    return std::clamp<int64_t>(static_cast<int64_t>(pixel) + start_, 0, extent_);
  }

  int64_t extent_;
  int64_t start_ = 0;
  double size_ = 1;
};

// The greatest element of a rectangle; 0 when it is empty.
double greatest(const double* map, int64_t width, int64_t top, int64_t bottom, int64_t left,
                int64_t right) {
  if (top >= bottom || left >= right) return 0;
  double best = map[top * width + left];
  for (int64_t i = top; i < bottom; ++i) {
    best = std::max(best, *std::max_element(map + i * width + left, map + i * width + right));
  }
  return best;
}

}  // namespace

void max_roi_pool(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& rois = context.input(1);
  const ir::Dims shape = pooled_shape(context.node());
  const double scale = context.node().attr_float("spatial_scale", 1.0f);
  if (x.rank() != 4 || rois.rank() != 2 || rois.dim(1) != 5 || !is_real(x.type()) ||
      rois.type() != x.type()) {
    fail(
        ErrorCode::kBadInput,
        "expected floating-point x [N, C, H, W] and rois [R, 5] of one type, found {} {} and {} {}",
        ir::data_type_name(x.type()), ir::to_string(x.dims()), ir::data_type_name(rois.type()),
        ir::to_string(rois.dims()));
  }
  ir::Tensor& y = context.output(0, x.type(), {rois.dim(0), x.dim(1), shape[0], shape[1]});
  if (y.size() == 0) return;
  const ir::Tensor values = as_doubles(x);
  int64_t next = 0;
  for (int64_t r = 0; r < rois.dim(0); ++r) {
    const auto field = [&](int64_t i) { return ir::element_as_double(rois, r * 5 + i); };
    const double sample = field(0);
    if (!(sample >= 0 && sample < static_cast<double>(x.dim(0)))) {
      fail(ErrorCode::kBadInput, "rois: sample {} is not in [0, {})", sample, x.dim(0));
    }
    const Bins columns(field(1), field(3), scale, shape[1], x.dim(3));
    const Bins rows(field(2), field(4), scale, shape[0], x.dim(2));
    for (int64_t c = 0; c < x.dim(1); ++c) {
      const double* map = values.data<double>().data() +
                          (static_cast<int64_t>(sample) * x.dim(1) + c) * x.dim(2) * x.dim(3);
      for (int64_t i = 0; i < shape[0]; ++i) {
        for (int64_t j = 0; j < shape[1]; ++j) {
          store_double(greatest(map, x.dim(3), rows.first(i), rows.last(i), columns.first(j),
                                columns.last(j)),
                       y, next++);
        }
      }
    }
  }
}

void infer_max_roi_pool(InferContext& context) {
  const ir::Dims shape = pooled_shape(context.node());
  ir::Shape out = {{}, {}, ir::Dim::of(shape[0]), ir::Dim::of(shape[1])};
  if (const ir::Shape* rois = context.shape(1); rois != nullptr && rois->size() == 2) {
    out[0] = (*rois)[0];
  }
  if (const ir::Shape* x = context.shape(0); x != nullptr && x->size() == 4) out[1] = (*x)[1];
  context.set(0, context.element(0), std::move(out));
}

}  // namespace fettle::ops
