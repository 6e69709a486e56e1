#include "quant/opset_rows.h"

#include <algorithm>
#include <limits>
#include <string>

#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::quant {

namespace {

std::string constant_name(ir::Node& node, std::string_view suffix) {
  const std::string base = !node.name.empty()          ? node.name
                           : node.output(0) != nullptr ? node.output(0)->name()
                                                       : node.op_type;
  return node.graph().unique_name(base + "_" + std::string(suffix));
}

// A scalar of the element type of operand 0; float where that is unknown.
ir::Tensor scalar_like_data(const ir::Node& node, float value) {
  const ir::Value* data = node.input(0);
  const ir::DataType type = data != nullptr ? data->type.element : ir::DataType::kUndefined;
  switch (type) {
    case ir::DataType::kUndefined:
    case ir::DataType::kFloat:
      return ir::Tensor::scalar<float>(value);
    case ir::DataType::kDouble:
      return ir::Tensor::scalar<double>(value);
    case ir::DataType::kFloat16:
      return ir::Tensor::scalar<ir::Float16>(ir::Float16(value));
    default:
      fail(ErrorCode::kUnsupported, "attribute of a {} operand; expected a floating point operand",
           ir::data_type_name(type));
  }
}

void add_scalar_operand(ir::Node& node, size_t index, std::string_view name, float value) {
  ir::Tensor tensor = scalar_like_data(node, value);
  node.set_input(index, &node.graph().add_constant(constant_name(node, name), std::move(tensor)));
}

// An attribute of integers that became operand `index`; absent stays absent.
void ints_to_operand(ir::Node& node, std::string_view attribute, size_t index) {
  if (!node.has_attribute(attribute)) return;
  const std::vector<int64_t> values = node.attr_ints(attribute);
  node.remove_attribute(attribute);
  add_ints_operand(node, index, attribute, values);
}

void axes_to_operand(ir::Node& node) {
  ints_to_operand(node, "axes", 1);
}
void split_to_operand(ir::Node& node) {
  ints_to_operand(node, "split", 1);
}

void slice_to_operands(ir::Node& node) {
  ints_to_operand(node, "starts", 1);
  ints_to_operand(node, "ends", 2);
  ints_to_operand(node, "axes", 3);
}

void top_k_to_operand(ir::Node& node) {
  const int64_t k = node.attr_int("k", 0);
  node.remove_attribute("k");
  add_ints_operand(node, 1, "k", {k});
}

// A bound that float32 cannot exceed is no bound.
void clip_to_operands(ir::Node& node) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const float low = node.attr_float("min", -kMax);
  const float high = node.attr_float("max", kMax);
  node.remove_attribute("min");
  node.remove_attribute("max");
  if (low > -kMax) add_scalar_operand(node, 1, "min", low);
  if (high < kMax) add_scalar_operand(node, 2, "max", high);
}

void pad_to_operands(ir::Node& node) {
  const float value = node.attr_float("value", 0);
  node.remove_attribute("value");
  ints_to_operand(node, "pads", 1);
  if (value != 0) add_scalar_operand(node, 2, "value", value);
}

void dropout_to_operands(ir::Node& node) {
  if (!node.has_attribute("ratio")) return;
  const float ratio = node.attr_float("ratio", 0.5f);
  node.remove_attribute("ratio");
  node.set_input(1, &node.graph().add_constant(constant_name(node, "ratio"),
                                               ir::Tensor::scalar<float>(ratio)));
}

bool is_used(const ir::Value* v) {
  return v != nullptr && (!v->uses().empty() || v->is_graph_output());
}

void dropout_mask_becomes_bool(ir::Node& node) {
  if (is_used(node.output(1))) {
    fail(ErrorCode::kUnsupported,
         "its mask output changes from floating point to bool in opset 10");
  }
}

void upsample_to_operand(ir::Node& node) {
  const std::vector<float> scales = node.attr_floats("scales");
  node.remove_attribute("scales");
  const auto count = static_cast<int64_t>(scales.size());
  node.set_input(1, &node.graph().add_constant(constant_name(node, "scales"),
                                               ir::Tensor::of<float>({count}, scales)));
}

void upsample_to_resize(ir::Node& node) {
  node.op_type = "Resize";
}

// Opset 10 maps output x to input x / scale (linear); nearest takes the floor of that where it
// enlarges and the ceiling where it shrinks, which later versions choose once for all axes.
std::string nearest_mode_of_scales(const ir::Value* scales) {
  if (scales == nullptr || scales->constant() == nullptr) {
    fail(ErrorCode::kUnsupported,
         "nearest of opset 10 with scales that are not constant has no form in opset 11");
  }
  const auto values = scales->constant()->data<float>();
  const bool shrinks = std::any_of(values.begin(), values.end(), [](float s) { return s < 1; });
  const bool enlarges = std::any_of(values.begin(), values.end(), [](float s) { return s > 1; });
  if (shrinks && enlarges) {
    fail(ErrorCode::kUnsupported,
         "nearest of opset 10 that enlarges one axis and shrinks another has no form in opset 11");
  }
  return shrinks ? "ceil" : "floor";
}

void resize_coordinates(ir::Node& node) {
  ir::Value* scales = node.input(1);
  node.set_input(1, nullptr);
  node.set_input(2, scales);
  node.set_attribute(ir::Attribute("coordinate_transformation_mode", "asymmetric"));
  if (node.attr_string("mode", "nearest") == "nearest") {
    node.set_attribute(ir::Attribute("nearest_mode", nearest_mode_of_scales(scales)));
  }
}

void scatter_to_scatter_elements(ir::Node& node) {
  node.op_type = "ScatterElements";
}

void batch_norm_spatial(ir::Node& node) {
  if (node.attr_int("spatial", 1) == 0) {
    fail(ErrorCode::kUnsupported, "spatial = 0 (statistics per element) has no form in opset 9");
  }
  node.remove_attribute("spatial");
}

void batch_norm_outputs(ir::Node& node) {
  while (node.outputs().size() > 1) {
    if (is_used(node.outputs().back())) {
      fail(ErrorCode::kUnsupported, "its training outputs changed in opset 14");
    }
    node.graph().drop_output(node, node.outputs().size() - 1);
  }
}

void roi_align_coordinates(ir::Node& node) {
  if (node.has_attribute("coordinate_transformation_mode")) return;
  node.set_attribute(ir::Attribute("coordinate_transformation_mode", "output_half_pixel"));
}

void scan_batch(ir::Node&) {
  fail(ErrorCode::kUnsupported, "Scan of opset 8 has a batch axis that later versions lack");
}

void experimental(ir::Node&) {
  fail(ErrorCode::kUnsupported, "experimental operator that ONNX withdrew in opset 10");
}

constexpr UpgradeRow kRows[] = {
    {"BatchNormalization", 9, batch_norm_spatial},
    {"Scan", 9, scan_batch},
    {"Upsample", 9, upsample_to_operand},
    {"ATen", 10, experimental},
    {"Affine", 10, experimental},
    {"ConstantFill", 10, experimental},
    {"Crop", 10, experimental},
    {"Dropout", 10, dropout_mask_becomes_bool},
    {"DynamicSlice", 10, experimental},
    {"GRUUnit", 10, experimental},
    {"GivenTensorFill", 10, experimental},
    {"ImageScaler", 10, experimental},
    {"ParametricSoftplus", 10, experimental},
    {"Scale", 10, experimental},
    {"ScaledTanh", 10, experimental},
    {"Slice", 10, slice_to_operands},
    {"TopK", 10, top_k_to_operand},
    {"Upsample", 10, upsample_to_resize},
    {"Clip", 11, clip_to_operands},
    {"Pad", 11, pad_to_operands},
    {"Resize", 11, resize_coordinates},
    {"Scatter", 11, scatter_to_scatter_elements},
    {"Dropout", 12, dropout_to_operands},
    {"Hardmax", 13, upgrade_flattening_axis},
    {"LogSoftmax", 13, upgrade_flattening_axis},
    {"ReduceSum", 13, axes_to_operand},
    {"Softmax", 13, upgrade_flattening_axis},
    {"Split", 13, split_to_operand},
    {"Squeeze", 13, axes_to_operand},
    {"Unsqueeze", 13, axes_to_operand},
    {"BatchNormalization", 14, batch_norm_outputs},
    {"RoiAlign", 16, roi_align_coordinates},
};

}  // namespace

std::span<const UpgradeRow> upgrade_rows() {
  return kRows;
}

void add_ints_operand(ir::Node& node, size_t index, std::string_view name,
                      const std::vector<int64_t>& values) {
  const auto count = static_cast<int64_t>(values.size());
  node.set_input(index, &node.graph().add_constant(constant_name(node, name),
                                                   ir::Tensor::of<int64_t>({count}, values)));
}

}  // namespace fettle::quant
