// Static mode: numbers for what static_decide.h decided.
#include <algorithm>

#include <fmt/format.h>

#include "ir/error.h"
#include "quant/modes.h"
#include "quant/params.h"
#include "quant/plan_entries.h"
#include "quant/static_decide.h"
#include "quant/useful_range.h"

namespace fettle::quant {

namespace {

class StaticPlanner {
 public:
  StaticPlanner(const ir::Model& model, const calib::CalibrationTable& table,
                const PlanOptions& options)
      : graph_(*model.graph),
        table_(table),
        options_(options),
        keys_(graph_),
        decisions_(decide_static(graph_, model.opset(), keys_, table, options)) {}

  Plan run() {
    plan_.mode = Mode::kStatic;
    for (const ir::Value* v : graph_.inputs()) plan_activation(v, nullptr);
    for (const NodeState& s : decisions_.states) {
      for (const ir::Value* v : s.node->outputs()) plan_activation(v, &s);
    }
    for (const NodeState& s : decisions_.states) {
      if (s.quantized && s.row->role == Role::kWeighted) plan_weight(s);
      if (s.quantized && s.row->role == Role::kArithmetic) plan_constants(s);
    }
    for (const NodeState& s : decisions_.states) plan_node(s);
    return std::move(plan_);
  }

 private:
  void plan_activation(const ir::Value* v, const NodeState* producer) {
    if (v == nullptr || !decisions_.pairs.contains(v)) return;
    if (producer != nullptr && producer->quantized) {
      if (producer->row->role == Role::kMover) {
        plan_.activations[v->name()] = plan_.activations.at(producer->node->input(0)->name());
        return;
      }
      if (producer->row->unit_output) {
        plan_.activations[v->name()] = unit_interval_params();
        return;
      }
    }
    const calib::TensorRange range = useful_range(*v, table_.tensors.at(v->name()));
    plan_.activations[v->name()] = activation_params(range.min, range.max);
  }

  static const ir::Value* bias_of(const NodeState& s) {
    if (s.bias_add == nullptr) return s.node->input(2);
    const ir::Value* first = s.bias_add->input(0);
    return first->constant() != nullptr ? first : s.bias_add->input(1);
  }

  void plan_weight(const NodeState& s) {
    const ir::Value& weight = *s.node->input(1);
    const int64_t axis = options_.per_channel ? s.row->channel_axis(*s.node) : -1;
    QuantParams params = weight_params(*weight.constant(), axis, options_.reduce_range);
    const float input_scale = plan_.activations.at(s.node->input(0)->name()).scale[0];
    const ir::Value* bias = bias_of(s);
    if (bias != nullptr) {
      const int64_t channels =
          weight.constant()->dim(static_cast<size_t>(s.row->channel_axis(*s.node)));
      const int64_t raised =
          guard_bias_overflow(params, input_scale, bias_per_channel(*bias->constant(), channels));
      if (raised > 0) {
        plan_.warnings.push_back(fmt::format(
            "{}: the scale of {} channel(s) of weight '{}' was raised so that the int32 bias fits",
            s.node->describe(), raised, weight.name()));
      }
      const ir::Node& reader = s.bias_add != nullptr ? *s.bias_add : *s.node;
      store_params(plan_.biases, bias->name(), keys_.of(reader), bias_params(params, input_scale));
    }
    store_params(plan_.weights, weight.name(), keys_.of(*s.node), std::move(params));
  }

  void plan_constants(const NodeState& s) {
    for (size_t i = 0; i < s.node->inputs().size(); ++i) {
      const ir::Value* v = s.node->input(i);
      if (v == nullptr || !is_data_operand(*s.row, i) || v->constant() == nullptr) continue;
      store_params(plan_.weights, v->name(), keys_.of(*s.node), constant_params(*v->constant()));
    }
  }

  void plan_node(const NodeState& s) {
    const bool follows = s.quantized && s.row->role == Role::kMover;
    const bool quantized = s.quantized || s.absorbed_into != nullptr;
    plan_.nodes.push_back({keys_.of(*s.node), s.node->op_type,
                           follows     ? "follow"
                           : quantized ? "quantize"
                                       : "float",
                           s.reason});
  }

  const ir::Graph& graph_;
  const calib::CalibrationTable& table_;
  const PlanOptions& options_;
  NodeKeys keys_;
  Decisions decisions_;
  Plan plan_;
};

}  // namespace

Plan plan_static(const ir::Model& model, const calib::CalibrationTable& table,
                 const PlanOptions& options) {
  return StaticPlanner(model, table, options).run();
}

}  // namespace fettle::quant
