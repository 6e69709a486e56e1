// Dynamic mode: activations are quantized at run time, weights now.
//
//   X -> DynamicQuantizeLinear -> (Xq, sx, zx)
//   MatMulInteger(Xq, Wq, zx, zw) -> Cast(float) -> Mul(sx * sw) [-> Add(C)]
//
// which ONNX Runtime runs as DynamicQuantizeMatMul or, when products share X, MatMulIntegerToFloat.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "ir/error.h"
#include "quant/emit.h"
#include "quant/modes.h"
#include "quant/params.h"
#include "quant/placement.h"
#include "quant/plan_entries.h"
#include "quant/relative_precision.h"
#include "quant/weight_table.h"

namespace fettle::quant {

namespace {

// Element for element, [a, b] -> [b, a], for int8.
ir::Tensor transposed(const ir::Tensor& matrix) {
  const int64_t rows = matrix.dim(0);
  const int64_t columns = matrix.dim(1);
  ir::Tensor out(ir::DataType::kInt8, {columns, rows});
  const auto from = matrix.data<int8_t>();
  const auto to = out.mutable_data<int8_t>();
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      to[static_cast<size_t>(c * rows + r)] = from[static_cast<size_t>(r * columns + c)];
    }
  }
  return spill_if_large(std::move(out));
}

std::string why_float(const ir::Node& node, const NodeKeys& keys, const PlanOptions& options,
                      const ir::Value*& weight) {
  if (matches_any(options.exclude_nodes, keys.of(node)) ||
      matches_any(options.exclude_types, node.op_type)) {
    return "excluded by option";
  }
  if (is_quantized_already(node)) return "already quantized";
  const WeightRow* row = find_weight_row(node);
  if (row == nullptr || row->dequantize_result) return "only products with constant weights change";
  if (!row->dynamic) return "no runtime has a fast dynamic convolution";
  std::string reason;
  weight = quantizable_weight(node, *row, reason);
  if (weight == nullptr) return reason;
  const ir::Value* x = node.input(0);
  if (x == nullptr || x->has_initializer()) return "its first operand is a constant";
  const ir::DataType element = x->type.element;
  if (element != ir::DataType::kFloat && element != ir::DataType::kUndefined) {
    return fmt::format("its first operand is {}", ir::data_type_name(element));
  }
  return {};
}

class DynamicRewriter {
 public:
  DynamicRewriter(ir::Model& model, const Plan& plan)
      : graph_(*model.graph), plan_(plan), keys_(graph_) {}

  void run() {
    require_initializers(graph_, plan_.weights);
    const std::vector<ir::Node*> nodes = nodes_decided(graph_, keys_, plan_, {"quantize"});
    for (ir::Node* node : nodes) rewrite(*node);
    for (ir::Value* v : replaced_) erase_if_unused(graph_, *v);
  }

 private:
  struct QuantizedInput {
    ir::Value* codes;
    ir::Value* scale;
    ir::Value* zero_point;
  };
  struct QuantizedWeight {
    ir::Value* codes;
    ParamValues params;
  };

  const QuantizedInput& quantized_input(ir::Value& x) {
    const auto it = inputs_.find(x.name());
    if (it != inputs_.end()) return it->second;
    const std::vector<std::string> outputs = {graph_.unique_name(x.name() + "_quantized"),
                                              graph_.unique_name(x.name() + "_scale"),
                                              graph_.unique_name(x.name() + "_zero_point")};
    ir::Node& node =
        x.producer() != nullptr
            ? graph_.insert_after(*x.producer(), "DynamicQuantizeLinear", {&x}, outputs)
            : graph_.add_node("DynamicQuantizeLinear", {&x}, outputs, graph_.first_node());
    node.name = x.name() + "_QuantizeLinear";
    return inputs_[x.name()] = {node.output(0), node.output(1), node.output(2)};
  }

  const QuantizedWeight& quantized_weight(const ir::Value& w, const ParamKey& entry,
                                          QuantParams params, bool transpose) {
    const std::pair key{entry, transpose};
    const auto it = weights_.find(key);
    if (it != weights_.end()) return it->second;
    ir::Tensor codes = quantize_tensor(*w.constant(), params);
    if (transpose) codes = transposed(codes);
    ir::Value& stored = graph_.add_constant(graph_.unique_name(w.name() + "_quantized"), codes);
    ParamValues values = add_params(graph_, w.name(), params);
    return weights_[key] = {&stored, values};
  }

  ir::Value& append(ir::Node& before, const char* op, const std::vector<ir::Value*>& inputs,
                    const std::string& output, ir::Node** made = nullptr) {
    ir::Node& node = graph_.add_node(op, inputs, {graph_.unique_name(output)}, &before);
    node.name = output + "_node";
    if (made != nullptr) *made = &node;
    return *node.output(0);
  }

  void rewrite(ir::Node& node) {
    ir::Value& w = *node.input(1);
    const auto entry = find_params(plan_.weights, w.name(), keys_.of(node));
    if (w.constant() == nullptr || entry == plan_.weights.end() || node.input(0) == nullptr) {
      fail(ErrorCode::kBadInput, "plan: {} has no weight entry; make the plan from this model",
           node.describe());
    }
    const bool transpose = node.attr_int("transB", 0) != 0;
    const QuantizedInput x = quantized_input(*node.input(0));
    const QuantizedWeight weight = quantized_weight(w, entry->first, entry->second, transpose);
    const std::string base = node.output(0)->name();
    const ir::Type type = node.output(0)->type;
    ir::Value& sum = append(node, "MatMulInteger",
                            {x.codes, weight.codes, x.zero_point, weight.params.zero_point},
                            base + "_quantized");
    ir::Node* cast = nullptr;
    ir::Value& real = append(node, "Cast", {&sum}, base + "_cast", &cast);
    cast->set_attribute(ir::Attribute("to", static_cast<int64_t>(ir::DataType::kFloat)));
    ir::Value& scale = append(node, "Mul", {x.scale, weight.params.scale}, base + "_scales");
    ir::Value* result = &append(node, "Mul", {&real, &scale}, base + "_scaled");
    if (ir::Value* c = node.input(2)) {
      result = &append(node, "Add", {result, c}, base + "_biased");
    }
    result->type = type;
    if (std::find(replaced_.begin(), replaced_.end(), &w) == replaced_.end())
      replaced_.push_back(&w);
    substitute(graph_, node, *result);
  }

  ir::Graph& graph_;
  const Plan& plan_;
  NodeKeys keys_;
  std::map<std::string, QuantizedInput> inputs_;
  std::map<std::pair<ParamKey, bool>, QuantizedWeight> weights_;  // by entry and "transposed"
  std::vector<ir::Value*> replaced_;
};

}  // namespace

Plan plan_dynamic(const ir::Model& model, const PlanOptions& options) {
  Plan plan;
  plan.mode = Mode::kDynamic;
  const NodeKeys keys(*model.graph);
  const auto feeding_logarithms = nodes_feeding_logarithms(*model.graph);
  for (const ir::Node& node : model.graph->nodes()) {
    const ir::Value* weight = nullptr;
    std::string reason = why_float(node, keys, options, weight);
    if (weight != nullptr && feeding_logarithms.contains(&node)) reason = kFeedsLogarithm;
    const bool quantize = reason.empty();
    if (quantize) {
      const int64_t axis =
          options.per_channel ? find_weight_row(node)->channel_axis(node, *weight->constant()) : -1;
      store_params(plan.weights, weight->name(), keys.of(node),
                   weight_params(*weight->constant(), axis, options.reduce_range));
      reason = "integer product; activations are quantized at run time";
    }
    plan.nodes.push_back(
        {keys.of(node), node.op_type, quantize ? "quantize" : "float", std::move(reason)});
  }
  return plan;
}

void apply_dynamic(ir::Model& model, const Plan& plan) {
  DynamicRewriter(model, plan).run();
}

}  // namespace fettle::quant
