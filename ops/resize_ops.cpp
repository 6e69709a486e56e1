// Resize and Upsample, and the rows of the other operators that move or resample pixels:
// DepthToSpace, SpaceToDepth, GridSample, RoiAlign.
#include <algorithm>
#include <cmath>

#include "ops/axes.h"
#include "ops/cast_tensor.h"
#include "ops/depth_space.h"
#include "ops/families.h"
#include "ops/grid_sample.h"
#include "ops/real_elements.h"
#include "ops/resize_plan.h"
#include "ops/roi_align.h"

namespace fettle::ops {
namespace {

// Integers round half to even and saturate.
ir::Tensor from_doubles(const ir::Tensor& values, ir::DataType type) {
  if (is_real(type)) {
    ir::Tensor y(type, values.dims());
    store_doubles(values.data<double>().data(), values.size(), y, 0);
    return y;
  }
  const int bits = ir::data_type_bits(type);
  const bool is_signed = ir::is_signed_integer(type);
  const double lowest = is_signed ? -std::ldexp(1.0, bits - 1) : 0.0;
  const double highest = std::ldexp(1.0, is_signed ? bits - 1 : bits) - 1;
  ir::Tensor rounded = values;
  for (double& v : rounded.mutable_data<double>()) {
    v = std::clamp(std::nearbyint(v), lowest, highest);
  }
  return cast_tensor(rounded, type);
}

void run_plan(KernelContext& context, const ResizePlan& plan) {
  const ir::Tensor& x = context.input(0);
  if (ir::element_count(plan.output) == 0) {
    context.output(0, x.type(), plan.output);
    return;
  }
  const bool nearest = plan.options.interpolation == Interpolation::kNearest;
  if (!nearest && !is_real(x.type()) && !ir::is_integer(x.type())) {
    fail(ErrorCode::kBadInput, "elements of {} cannot be interpolated",
         ir::data_type_name(x.type()));
  }
  if (ir::is_sub_byte(x.type())) {
    fail(ErrorCode::kUnsupported, "elements of {} cannot be resized", ir::data_type_name(x.type()));
  }
  ir::Tensor y = nearest ? x : as_doubles(x);
  ir::Tensor outside;
  if (nearest && plan.options.coordinates == CoordinateMode::kTfCropAndResize) {
    outside = cast_tensor(ir::Tensor::scalar(static_cast<float>(plan.extrapolation)), x.type());
  }
  for (const AxisScale& axis : plan.axes) {
    const AxisTaps taps = axis_taps(plan.options, axis);
    y = nearest ? gather_axis(y, axis.axis, taps, outside)
                : resample_axis(y, axis.axis, taps, plan.extrapolation);
  }
  context.set_output(0, nearest ? std::move(y) : from_doubles(y, x.type()));
}

void resize(KernelContext& context) {
  ResizeOperands operands;
  operands.roi = context.optional(1);
  operands.scales = context.optional(2);
  operands.sizes = operand_ints(context, 3);
  run_plan(context, plan_resize(context.node(), context.input(0).dims(), operands));
}

std::vector<float> scale_values(const ir::Tensor& scales) {
  const auto values = scales.data<float>();
  return {values.begin(), values.end()};
}

void resize_10(KernelContext& context) {
  run_plan(context, plan_upsample(context.node(), context.input(0).dims(),
                                  scale_values(context.input(1)), NearestMode::kCeilWhenShrinking));
}

void upsample_9(KernelContext& context) {
  run_plan(context, plan_upsample(context.node(), context.input(0).dims(),
                                  scale_values(context.input(1)), NearestMode::kFloor));
}

void upsample_7(KernelContext& context) {
  run_plan(context, plan_upsample(context.node(), context.input(0).dims(),
                                  context.node().attr_floats("scales"), NearestMode::kFloor));
}

// Opset 1: NCHW only.
std::vector<float> height_and_width_scales(const ir::Node& node) {
  return {1.0f, 1.0f, node.attr_float("height_scale", 1.0f), node.attr_float("width_scale", 1.0f)};
}

void upsample_1(KernelContext& context) {
  run_plan(context, plan_upsample(context.node(), context.input(0).dims(),
                                  height_and_width_scales(context.node()), NearestMode::kFloor));
}

// An extent times a scale; a symbol only by whole numbers.
ir::Dim scaled_dim(const ir::Dim& extent, float scale) {
  if (extent.known()) return ir::Dim::of(scaled_extent(extent.value, scale));
  if (scale == 1) return extent;
  if (scale > 0 && scale < 1e9f && scale == std::floor(scale)) {
    return dim_mul(extent, ir::Dim::of(static_cast<int64_t>(scale)));
  }
  return ir::Dim::unknown();
}

void set_scaled(InferContext& context, const std::vector<int64_t>& axes,
                const std::vector<float>& scales) {
  ir::Shape out = *context.shape(0);
  if (scales.size() != axes.size()) {
    fail(ErrorCode::kBadInput, "scales: expected {} values, found {}", axes.size(), scales.size());
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    ir::Dim& d = out[static_cast<size_t>(axes[i])];
    d = scaled_dim(d, scales[i]);
  }
  context.set(0, context.element(0), std::move(out));
}

// Axes are resized by unknown factors: their extents are unknown, the others stay.
void set_unknown(InferContext& context, const std::vector<int64_t>& axes) {
  ir::Shape out = *context.shape(0);
  for (const int64_t a : axes) out[static_cast<size_t>(a)] = ir::Dim::unknown();
  context.set(0, context.element(0), std::move(out));
}

void infer_resize(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, context.element(0));
  const std::vector<int64_t> axes = resize_axes(context.node(), x->size());
  const auto dims = ir::known_dims(*x);
  const ir::Tensor* scales = context.has(2) ? context.constant(2) : nullptr;
  const auto sizes = context.has(3) ? context.ints(3) : std::nullopt;
  const auto numbers = context.has(3) ? context.known_ints(3) : std::nullopt;
  if (dims && numbers && !numbers->empty()) {
    const ir::Node& node = context.node();
    // The plan's sizes do not depend on the region of interest.
    const bool crop =
        node.attr_string("coordinate_transformation_mode", "") == "tf_crop_and_resize";
    const ir::Tensor whole(ir::DataType::kFloat, {static_cast<int64_t>(2 * axes.size())});
    ResizeOperands operands;
    operands.sizes = numbers;
    if (crop) operands.roi = &whole;
    return context.set(0, context.element(0),
                       ir::shape_of(plan_resize(node, *dims, operands).output));
  }
  if (scales != nullptr && scales->size() > 0) {
    return set_scaled(context, axes, scale_values(*scales));
  }
  const bool stretch =
      context.node().attr_string("keep_aspect_ratio_policy", "stretch") == "stretch";
  if (!sizes || sizes->size() != axes.size() || !stretch) return set_unknown(context, axes);
  ir::Shape out = *x;
  for (size_t i = 0; i < axes.size(); ++i) out[static_cast<size_t>(axes[i])] = (*sizes)[i];
  context.set(0, context.element(0), std::move(out));
}

void infer_with_scales(InferContext& context, const std::vector<float>* scales) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, context.element(0));
  std::vector<int64_t> axes(x->size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (scales == nullptr) return set_unknown(context, axes);
  set_scaled(context, axes, *scales);
}

void infer_upsample_9(InferContext& context) {
  const ir::Tensor* scales = context.constant(1);
  if (scales == nullptr) return infer_with_scales(context, nullptr);
  const std::vector<float> values = scale_values(*scales);
  infer_with_scales(context, &values);
}

void infer_upsample_7(InferContext& context) {
  const std::vector<float> values = context.node().attr_floats("scales");
  infer_with_scales(context, &values);
}

void infer_upsample_1(InferContext& context) {
  const std::vector<float> values = height_and_width_scales(context.node());
  infer_with_scales(context, &values);
}

}  // namespace

std::span<const OpDef> resize_ops() {
  static constexpr OpDef kRows[] = {
      {.domain = "",
       .name = "Resize",
       .since_version = 10,
       .infer = infer_upsample_9,
       .kernel = resize_10,
       .shape_inputs = 1u << 1},
      {.domain = "",
       .name = "Resize",
       .since_version = 11,
       .infer = infer_resize,
       .kernel = resize,
       .shape_inputs = 1u << 1 | 1u << 2 | 1u << 3},
      {.domain = "",
       .name = "Upsample",
       .since_version = 1,
       .infer = infer_upsample_1,
       .kernel = upsample_1},
      {.domain = "",
       .name = "Upsample",
       .since_version = 7,
       .infer = infer_upsample_7,
       .kernel = upsample_7},
      {.domain = "",
       .name = "Upsample",
       .since_version = 9,
       .infer = infer_upsample_9,
       .kernel = upsample_9,
       .shape_inputs = 1u << 1},
      {.domain = "",
       .name = "DepthToSpace",
       .since_version = 1,
       .infer = infer_depth_to_space,
       .kernel = depth_to_space,
       .facts = kDataMovement},
      {.domain = "",
       .name = "SpaceToDepth",
       .since_version = 1,
       .infer = infer_space_to_depth,
       .kernel = space_to_depth,
       .facts = kDataMovement},
      {.domain = "",
       .name = "GridSample",
       .since_version = 16,
       .infer = infer_grid_sample,
       .kernel = grid_sample},
      {.domain = "",
       .name = "RoiAlign",
       .since_version = 10,
       .infer = infer_roi_align,
       .kernel = roi_align_10},
      {.domain = "",
       .name = "RoiAlign",
       .since_version = 16,
       .infer = infer_roi_align,
       .kernel = roi_align_16},
  };
  return kRows;
}

}  // namespace fettle::ops
