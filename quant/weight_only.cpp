// Weight-only mode: weights are stored as int8 and dequantized in the graph.
//
//   Wq -> DequantizeLinear -> Conv, Gemm, MatMul, ConvTranspose
//   Gather(table_q, indices) -> DequantizeLinear
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "ir/error.h"
#include "quant/emit.h"
#include "quant/modes.h"
#include "quant/params.h"
#include "quant/placement.h"
#include "quant/plan_entries.h"
#include "quant/weight_table.h"

namespace fettle::quant {

namespace {

// Bytes that scale, zero point and node of a stored weight take, besides those per channel.
constexpr int64_t kOverhead = 256;

bool saves_bytes(const ir::Tensor& weight, size_t channels) {
  return weight.size() * 3 > static_cast<int64_t>(channels) * 5 + kOverhead;
}

std::string why_float(const ir::Node& node, const NodeKeys& keys, const PlanOptions& options,
                      QuantParams& params) {
  if (matches_any(options.exclude_nodes, keys.of(node)) ||
      matches_any(options.exclude_types, node.op_type)) {
    return "excluded by option";
  }
  if (is_quantized_already(node)) return "already quantized";
  const WeightRow* row = find_weight_row(node);
  if (row == nullptr) return "it has no weights";
  std::string reason;
  const ir::Value* weight = quantizable_weight(node, *row, reason);
  if (weight == nullptr) return reason;
  const int64_t axis = options.per_channel ? row->channel_axis(node, *weight->constant()) : -1;
  params = weight_params(*weight->constant(), axis, options.reduce_range);
  if (!saves_bytes(*weight->constant(), params.scale.size())) {
    return "its weight is too small to save anything";
  }
  return {};
}

class WeightOnlyRewriter {
 public:
  WeightOnlyRewriter(ir::Model& model, const Plan& plan)
      : graph_(*model.graph), plan_(plan), keys_(graph_) {}

  void run() {
    require_initializers(graph_, plan_.weights);
    for (ir::Node* node : nodes_decided(graph_, keys_, plan_, {"quantize"})) rewrite(*node);
    for (ir::Value* v : replaced_) erase_if_unused(graph_, *v);
  }

 private:
  void rewrite(ir::Node& node) {
    const WeightRow* row = find_weight_row(node);
    ir::Value* weight = row != nullptr ? node.input(row->operand) : nullptr;
    const auto entry = weight != nullptr
                           ? find_params(plan_.weights, weight->name(), keys_.of(node))
                           : plan_.weights.end();
    if (entry == plan_.weights.end() || weight->constant() == nullptr) {
      fail(ErrorCode::kBadInput, "plan: {} has no weight entry; make the plan from this model",
           node.describe());
    }
    if (row->dequantize_result) {
      look_up_integers(node, *weight, entry->first, entry->second);
    } else {
      ir::Value*& made = dequantized_[entry->first];
      if (made == nullptr) {
        made = &add_dequantized_constant(graph_, weight->name(),
                                         quantize_tensor(*weight->constant(), entry->second),
                                         entry->second, &node);
      }
      node.set_input(row->operand, made);
    }
    if (std::find(replaced_.begin(), replaced_.end(), weight) == replaced_.end()) {
      replaced_.push_back(weight);
    }
  }

  void look_up_integers(ir::Node& node, ir::Value& table, const ParamKey& entry,
                        const QuantParams& params) {
    auto it = tables_.find(entry);
    if (it == tables_.end()) {
      ir::Value& codes = graph_.add_constant(graph_.unique_name(table.name() + "_quantized"),
                                             quantize_tensor(*table.constant(), params));
      it = tables_.emplace(entry, Table{&codes, add_params(graph_, table.name(), params)}).first;
    }
    node.set_input(0, it->second.codes);
    ir::Value& rows = *node.output(0);
    const std::string name = rows.name();
    ir::Node& back = graph_.insert_after(
        node, "DequantizeLinear", {&rows, it->second.params.scale, it->second.params.zero_point},
        {graph_.unique_name(name + "_dequantized")});
    back.name = name + "_DequantizeLinear";
    // The table's column axis is the last one of what is looked up.
    if (params.axis >= 0) back.set_attribute(ir::Attribute("axis", int64_t{-1}));
    back.output(0)->type = rows.type;
    if (!graph_.replace_all_uses(rows, *back.output(0))) {
      fail(ErrorCode::kUnsupported, "{}: its output is also an output of an enclosing graph",
           node.describe());
    }
    back.set_input(0, &rows);
    rows.type = ir::Type::tensor(params.type, back.output(0)->type.shape);
  }

  struct Table {
    ir::Value* codes;
    ParamValues params;
  };
  ir::Graph& graph_;
  const Plan& plan_;
  NodeKeys keys_;
  std::map<ParamKey, ir::Value*> dequantized_;
  std::map<ParamKey, Table> tables_;
  std::vector<ir::Value*> replaced_;
};

}  // namespace

Plan plan_weight_only(const ir::Model& model, const PlanOptions& options) {
  Plan plan;
  plan.mode = Mode::kWeightOnly;
  const NodeKeys keys(*model.graph);
  for (const ir::Node& node : model.graph->nodes()) {
    QuantParams params;
    std::string reason = why_float(node, keys, options, params);
    const bool quantize = reason.empty();
    if (quantize) {
      const std::string& weight = node.input(find_weight_row(node)->operand)->name();
      store_params(plan.weights, weight, keys.of(node), std::move(params));
      reason = "weight stored as int8, computed in float";
    }
    plan.nodes.push_back(
        {keys.of(node), node.op_type, quantize ? "quantize" : "float", std::move(reason)});
  }
  if (!plan.weights.empty()) {
    plan.warnings.push_back(
        "weight-only int8 saves size, not time: the CPU runtime dequantizes the weights of "
        "convolutions at every inference");
  }
  return plan;
}

void apply_weight_only(ir::Model& model, const Plan& plan) {
  WeightOnlyRewriter(model, plan).run();
}

}  // namespace fettle::quant
