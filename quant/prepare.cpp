#include "quant/prepare.h"

#include <algorithm>
#include <optional>

#include "ir/error.h"
#include "quant/opset_upgrade.h"

namespace fettle::quant {

namespace {

constexpr int64_t kIrWithPureConstants = 4;

void purify_initializers(ir::Model& model) {
  const bool all = model.ir_version < kIrWithPureConstants;
  ir::Graph& graph = *model.graph;
  const std::vector<ir::Value*> inputs = graph.inputs();
  for (ir::Value* input : inputs) {
    if (input->stored() == nullptr || input->is_graph_output()) continue;
    if (!all && input->constant()->type() != ir::DataType::kFloat) continue;
    const std::string name = input->name();
    ir::Value& constant =
        graph.add_constant(graph.unique_name(name + "_constant"), *input->stored());
    const bool replaced = graph.replace_all_uses(*input, constant);
    FETTLE_ASSERT(replaced);
    graph.erase_value(*input);
    graph.rename(constant, name);
  }
  model.ir_version = std::max(model.ir_version, kIrWithPureConstants);
}

// What a Constant holds when that is float, in whichever attribute.
std::optional<ir::Tensor> float_contents(const ir::Node& node) {
  if (!node.is("Constant")) return std::nullopt;
  if (const ir::Tensor* tensor = node.attr_tensor("value")) {
    return tensor->type() == ir::DataType::kFloat ? std::optional(*tensor) : std::nullopt;
  }
  if (node.has_attribute("value_float")) {
    return ir::Tensor::scalar<float>(node.attr_float("value_float", 0));
  }
  if (!node.has_attribute("value_floats")) return std::nullopt;
  const std::vector<float> numbers = node.attr_floats("value_floats");
  return ir::Tensor::of<float>({static_cast<int64_t>(numbers.size())}, numbers);
}

void constants_to_initializers(ir::Graph& graph) {
  for (ir::Node& node : graph.nodes()) {
    const std::optional<ir::Tensor> tensor = float_contents(node);
    if (!tensor || node.output(0) == nullptr || node.output(0)->is_graph_output()) continue;
    const std::string name = node.output(0)->name();
    ir::Value& constant = graph.add_constant(graph.unique_name(name + "_constant"), *tensor);
    const bool replaced = graph.replace_all_uses(*node.output(0), constant);
    FETTLE_ASSERT(replaced);
    graph.erase(node);
    graph.rename(constant, name);
  }
  graph.purge();
}

ir::Value& scaled_constant(ir::Graph& graph, const ir::Value& value, float factor) {
  ir::Tensor scaled(ir::DataType::kFloat, value.constant()->dims());
  const auto from = value.constant()->data<float>();
  const auto to = scaled.mutable_data<float>();
  std::transform(from.begin(), from.end(), to.begin(), [&](float x) { return x * factor; });
  return graph.add_constant(graph.unique_name(value.name() + "_scaled"), std::move(scaled));
}

bool is_float_constant(const ir::Value* value) {
  return value != nullptr && value->is_constant() &&
         value->constant()->type() == ir::DataType::kFloat;
}

// Multiplies the factor named `attribute` into operand `index`; leaves the node when it cannot.
void fold_factor(ir::Graph& graph, ir::Node& gemm, const char* attribute, size_t index) {
  const float factor = gemm.attr_float(attribute, 1);
  if (factor == 1) return;
  ir::Value* operand = gemm.input(index);
  if (operand != nullptr && !is_float_constant(operand)) return;
  gemm.remove_attribute(attribute);
  if (operand == nullptr) return;
  gemm.set_input(index, &scaled_constant(graph, *operand, factor));
  if (operand->uses().empty() && !operand->is_graph_output()) graph.erase_value(*operand);
}

void fold_gemm_factors(ir::Graph& graph) {
  for (ir::Node& node : graph.nodes()) {
    if (!node.is("Gemm")) continue;
    fold_factor(graph, node, "alpha", 1);
    fold_factor(graph, node, "beta", 2);
  }
}

}  // namespace

void prepare(ir::Model& model, int64_t min_opset) {
  purify_initializers(model);
  if (model.opset() != 0 && model.opset() < min_opset) upgrade_opset(model, min_opset);
  constants_to_initializers(*model.graph);
  fold_gemm_factors(*model.graph);
}

}  // namespace fettle::quant
