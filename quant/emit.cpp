#include "quant/emit.h"

#include "ir/error.h"

namespace fettle::quant {

namespace {

template <typename T>
ir::Tensor zero_points(const QuantParams& params, const ir::Dims& dims) {
  return ir::Tensor::of<T>(dims,
                           std::vector<T>(params.zero_point.begin(), params.zero_point.end()));
}

ir::Tensor zero_point_tensor(const QuantParams& params, const ir::Dims& dims) {
  switch (params.type) {
    case ir::DataType::kUint8:
      return zero_points<uint8_t>(params, dims);
    case ir::DataType::kInt8:
      return zero_points<int8_t>(params, dims);
    case ir::DataType::kInt32:
      return zero_points<int32_t>(params, dims);
    default:
      fail(ErrorCode::kBadInput, "plan: quantization to {}; expected int8, uint8 or int32",
           ir::data_type_name(params.type));
  }
}

ir::Node& dequantize(ir::Graph& graph, const std::string& base, ir::Value& quantized,
                     const ParamValues& params, int64_t axis, ir::Node* before) {
  const std::string name = base + "_DequantizeLinear";
  ir::Node& node = graph.add_node("DequantizeLinear", {&quantized, params.scale, params.zero_point},
                                  {graph.unique_name(name + "_Output")}, before);
  node.name = name;
  if (axis >= 0) node.set_attribute(ir::Attribute("axis", axis));
  node.output(0)->type = ir::Type::tensor(ir::DataType::kFloat, quantized.type.shape);
  return node;
}

}  // namespace

ParamValues add_params(ir::Graph& graph, const std::string& base, const QuantParams& params) {
  const ir::Dims dims =
      params.axis < 0 ? ir::Dims{} : ir::Dims{static_cast<int64_t>(params.scale.size())};
  if (params.scale.size() != params.zero_point.size() ||
      (params.axis < 0 && params.scale.size() != 1)) {
    fail(ErrorCode::kBadInput, "plan: '{}' has {} scales and {} zero points", base,
         params.scale.size(), params.zero_point.size());
  }
  ParamValues values;
  values.scale = &graph.add_constant(graph.unique_name(base + "_scale"),
                                     ir::Tensor::of<float>(dims, params.scale));
  values.zero_point =
      &graph.add_constant(graph.unique_name(base + "_zero_point"), zero_point_tensor(params, dims));
  return values;
}

ir::Value& add_dequantized_constant(ir::Graph& graph, const std::string& base,
                                    const ir::Tensor& quantized, const QuantParams& params,
                                    ir::Node* before) {
  ir::Value& stored = graph.add_constant(graph.unique_name(base + "_quantized"), quantized);
  const std::string params_base =
      params.type == ir::DataType::kInt32 ? base + "_quantized" : base;  // ORT's names of biases
  const ParamValues values = add_params(graph, params_base, params);
  return *dequantize(graph, base, stored, values, params.axis, before).output(0);
}

ir::Value& add_pair(ir::Graph& graph, ir::Value& value, const QuantParams& params) {
  if (params.axis >= 0 ||
      (params.type != ir::DataType::kUint8 && params.type != ir::DataType::kInt8)) {
    fail(ErrorCode::kBadInput, "plan: activation '{}' must be uint8 or int8, per tensor",
         value.name());
  }
  const std::string base = value.name();
  const ParamValues values = add_params(graph, base, params);
  const std::string name = base + "_QuantizeLinear";
  const std::string output = graph.unique_name(name + "_Output");
  ir::Node& quantize =
      value.producer() != nullptr
          ? graph.insert_after(*value.producer(), "QuantizeLinear",
                               {&value, values.scale, values.zero_point}, {output})
          : graph.add_node("QuantizeLinear", {&value, values.scale, values.zero_point}, {output},
                           graph.first_node());
  quantize.name = name;
  quantize.output(0)->type = ir::Type::tensor(params.type, value.type.shape);
  ir::Node& back = graph.insert_after(quantize, "DequantizeLinear",
                                      {quantize.output(0), values.scale, values.zero_point},
                                      {graph.unique_name(base + "_DequantizeLinear_Output")});
  back.name = base + "_DequantizeLinear";
  back.output(0)->type = ir::Type::tensor(ir::DataType::kFloat, value.type.shape);
  return *back.output(0);
}

void substitute(ir::Graph& graph, ir::Node& node, ir::Value& with) {
  ir::Value& old = *node.output(0);
  const std::string name = old.name();
  if (!graph.replace_all_uses(old, with)) {
    fail(ErrorCode::kUnsupported, "{}: its output is also an output of an enclosing graph",
         node.describe());
  }
  graph.erase(node);
  if (with.name() != name) graph.rename(with, name);
}

void erase_if_unused(ir::Graph& graph, ir::Value& value) {
  if (&value.graph() == &graph && value.is_constant() && value.uses().empty() &&
      !value.is_graph_output()) {
    graph.erase_value(value);
  }
}

ir::Value& find_value(ir::Graph& graph, const std::string& name) {
  ir::Value* value = graph.find(name);
  if (value == nullptr) {
    fail(ErrorCode::kBadInput,
         "plan: expected a value '{}' in the model's main graph, found none; "
         "make the plan from this model",
         name);
  }
  return *value;
}

}  // namespace fettle::quant
