#include "ops/resize_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>

#include "ir/error.h"
#include "ops/axes.h"
#include "ops/kernel_context.h"

namespace fettle::ops {
namespace {

template <typename T>
using Names = std::initializer_list<std::pair<std::string_view, T>>;

template <typename T>
T named(const ir::Node& node, std::string_view attribute, std::string_view fallback,
        Names<T> names) {
  const std::string value = node.attr_string(attribute, std::string(fallback));
  for (const auto& [name, result] : names) {
    if (name == value) return result;
  }
  fail(ErrorCode::kBadInput, "attribute {}: '{}' is not a known value", attribute, value);
}

Interpolation interpolation_of(const ir::Node& node) {
  return named<Interpolation>(node, "mode", "nearest",
                              {{"nearest", Interpolation::kNearest},
                               {"linear", Interpolation::kLinear},
                               {"bilinear", Interpolation::kLinear},
                               {"cubic", Interpolation::kCubic}});
}

ResampleOptions options_of(const ir::Node& node) {
  ResampleOptions options;
  options.interpolation = interpolation_of(node);
  options.coordinates =
      named<CoordinateMode>(node, "coordinate_transformation_mode", "half_pixel",
                            {{"half_pixel", CoordinateMode::kHalfPixel},
                             {"half_pixel_symmetric", CoordinateMode::kHalfPixelSymmetric},
                             {"pytorch_half_pixel", CoordinateMode::kPytorchHalfPixel},
                             {"align_corners", CoordinateMode::kAlignCorners},
                             {"asymmetric", CoordinateMode::kAsymmetric},
                             {"tf_half_pixel_for_nn", CoordinateMode::kTfHalfPixelForNn},
                             {"tf_crop_and_resize", CoordinateMode::kTfCropAndResize}});
  options.nearest = named<NearestMode>(node, "nearest_mode", "round_prefer_floor",
                                       {{"round_prefer_floor", NearestMode::kRoundPreferFloor},
                                        {"round_prefer_ceil", NearestMode::kRoundPreferCeil},
                                        {"floor", NearestMode::kFloor},
                                        {"ceil", NearestMode::kCeil}});
  options.antialias = node.attr_int("antialias", 0) != 0;
  options.exclude_outside = node.attr_int("exclude_outside", 0) != 0;
  options.cubic_coefficient = node.attr_float("cubic_coeff_a", -0.75f);
  return options;
}

void check_count(std::string_view what, size_t found, size_t expected) {
  if (found == expected) return;
  fail(ErrorCode::kBadInput, "{}: expected {} values, found {}", what, expected, found);
}

// Scales from sizes: each its own, or the least or greatest of all for keep_aspect_ratio_policy,
// the sizes then being round_half_up(scale * extent).
void scales_from_sizes(const ir::Node& node, const std::vector<int64_t>& sizes,
                       std::vector<AxisScale>& axes) {
  enum class Policy { kStretch, kNotLarger, kNotSmaller };
  const auto policy = named<Policy>(node, "keep_aspect_ratio_policy", "stretch",
                                    {{"stretch", Policy::kStretch},
                                     {"not_larger", Policy::kNotLarger},
                                     {"not_smaller", Policy::kNotSmaller}});
  check_count("sizes", sizes.size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    AxisScale& a = axes[i];
    if (sizes[i] < 0 || (a.input == 0 && sizes[i] != 0)) {
      fail(ErrorCode::kBadInput, "axis {} of extent {} cannot be resized to {}", a.axis, a.input,
           sizes[i]);
    }
    a.output = sizes[i];
    if (a.input > 0) a.scale = static_cast<double>(sizes[i]) / static_cast<double>(a.input);
  }
  if (policy == Policy::kStretch || axes.empty()) return;
  const auto less = [](const AxisScale& x, const AxisScale& y) { return x.scale < y.scale; };
  const double scale = policy == Policy::kNotLarger
                           ? std::min_element(axes.begin(), axes.end(), less)->scale
                           : std::max_element(axes.begin(), axes.end(), less)->scale;
  for (AxisScale& a : axes) {
    const double extent = std::floor(scale * static_cast<double>(a.input) + 0.5);
    if (!(extent < 9e18)) fail(ErrorCode::kBadInput, "scale {} is too large", scale);
    a.scale = scale;
    a.output = static_cast<int64_t>(extent);
  }
}

void apply_roi(const ir::Tensor* roi, std::vector<AxisScale>& axes) {
  if (roi == nullptr) fail(ErrorCode::kBadInput, "tf_crop_and_resize needs the operand roi");
  check_count("roi", static_cast<size_t>(roi->size()), 2 * axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    axes[i].roi_begin = ir::element_as_double(*roi, static_cast<int64_t>(i));
    axes[i].roi_end = ir::element_as_double(*roi, static_cast<int64_t>(i + axes.size()));
  }
}

void scale_axis(AxisScale& a, float scale) {
  a.output = scaled_extent(a.input, scale);
  a.scale = scale;
}

// Keeps the axes on which anything happens.
ResizePlan finished(ResizePlan plan, const ir::Dims& x) {
  plan.output = x;
  for (const AxisScale& a : plan.axes) plan.output[a.axis] = a.output;
  const bool crop = plan.options.coordinates == CoordinateMode::kTfCropAndResize;
  std::erase_if(plan.axes, [crop](const AxisScale& a) {
    return a.scale == 1 && a.input == a.output && (!crop || (a.roi_begin == 0 && a.roi_end == 1));
  });
  return plan;
}

}  // namespace

std::vector<int64_t> resize_axes(const ir::Node& node, size_t rank) {
  if (node.has_attribute("axes")) {
    return distinct_axes(node.attr_ints("axes"), static_cast<int64_t>(rank));
  }
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

int64_t scaled_extent(int64_t extent, float scale) {
  const float scaled = std::floor(static_cast<float>(extent) * scale);
  if (!(scale > 0) || !(scaled < 9e18f)) {
    fail(ErrorCode::kBadInput, "scales: {} is no scale for an axis of extent {}", scale, extent);
  }
  return static_cast<int64_t>(scaled);
}

ResizePlan plan_resize(const ir::Node& node, const ir::Dims& x, const ResizeOperands& operands) {
  ResizePlan plan;
  plan.options = options_of(node);
  plan.extrapolation = node.attr_float("extrapolation_value", 0.0f);
  for (const int64_t axis : resize_axes(node, x.size())) {
    AxisScale a;
    a.axis = static_cast<size_t>(axis);
    a.input = x[a.axis];
    plan.axes.push_back(a);
  }
  if (operands.sizes && !operands.sizes->empty()) {
    scales_from_sizes(node, *operands.sizes, plan.axes);
  } else if (operands.scales != nullptr && operands.scales->size() > 0) {
    check_count("scales", static_cast<size_t>(operands.scales->size()), plan.axes.size());
    const auto scales = operands.scales->data<float>();
    for (size_t i = 0; i < plan.axes.size(); ++i) scale_axis(plan.axes[i], scales[i]);
  } else if (!plan.axes.empty()) {
    fail(ErrorCode::kBadInput, "expected one of the operands scales and sizes, found neither");
  }
  if (plan.options.coordinates == CoordinateMode::kTfCropAndResize) {
    apply_roi(operands.roi, plan.axes);
  }
  return finished(std::move(plan), x);
}

ResizePlan plan_upsample(const ir::Node& node, const ir::Dims& x, const std::vector<float>& scales,
                         NearestMode nearest) {
  ResizePlan plan;
  plan.options.interpolation = interpolation_of(node);
  plan.options.coordinates = CoordinateMode::kAsymmetric;
  plan.options.nearest = nearest;
  check_count("scales", scales.size(), x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    AxisScale a;
    a.axis = i;
    a.input = x[i];
    scale_axis(a, scales[i]);
    plan.axes.push_back(a);
  }
  return finished(std::move(plan), x);
}

}  // namespace fettle::ops
