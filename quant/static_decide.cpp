#include "quant/static_decide.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "quant/relative_precision.h"

namespace fettle::quant {

namespace {

// Elements of a product's weight from which an integer kernel gains more than the QuantizeLinear
// before it costs.
constexpr int64_t kSmallestProduct = 256;

class Decider {
 public:
  Decider(const ir::Graph& graph, const NodeKeys& keys, const calib::CalibrationTable& table,
          const PlanOptions& options)
      : graph_(graph),
        keys_(keys),
        table_(table),
        options_(options),
        feeding_logarithms_(nodes_feeding_logarithms(graph)) {}

  Decisions run(int64_t opset) {
    opset_ = opset;
    list_candidates();
    for (NodeState& s : d_.states) absorb_tail(s);
    for (NodeState& s : d_.states) require_output_range(s);
    while (sweep_forward() | sweep_backward()) {
    }
    settle_outputs();
    settle_movers();
    explain();
    return std::move(d_);
  }

 private:
  bool calibrated(const ir::Value* v) const {
    if (v == nullptr || v->constant() != nullptr) return false;
    if (v->type.is_tensor() && v->type.element != ir::DataType::kFloat &&
        v->type.element != ir::DataType::kUndefined) {
      return false;
    }
    const auto it = table_.tensors.find(v->name());
    return it != table_.tensors.end() && it->second.count > 0 && std::isfinite(it->second.min) &&
           std::isfinite(it->second.max) && it->second.min <= it->second.max;
  }

  static bool float_constant(const ir::Value* v) {
    return v != nullptr && v->is_constant() && v->constant()->type() == ir::DataType::kFloat &&
           v->constant()->size() > 0;
  }

  static bool all_finite(const ir::Value* v) {
    if (v == nullptr || v->constant() == nullptr) return true;
    const auto values = v->constant()->data<float>();
    return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
  }

  void list_candidates() {
    d_.states.resize(graph_.node_count());
    size_t i = 0;
    for (ir::Node& node : graph_.nodes()) {
      NodeState& s = d_.states[i++];
      s.node = &node;
      s.row = find_placement(node);
      d_.of.emplace(&node, &s);
      s.reason = why_not(s);
      s.quantized = s.reason.empty() && s.row->role != Role::kClamp;
      if (s.quantized) s.tail = node.output(0);
    }
  }

  // Reasons that do not depend on the neighbors; empty for candidates.
  std::string why_not(const NodeState& s) const {
    const ir::Node& node = *s.node;
    if (matches_any(options_.exclude_nodes, keys_.of(node)) ||
        matches_any(options_.exclude_types, node.op_type)) {
      return "excluded by option";
    }
    if (is_quantized_already(node)) return "already quantized";
    if (s.row == nullptr) {
      return fmt::format("no 8-bit form of {} is known", node.op_type);
    }
    if (s.row->role == Role::kFloat) return std::string(s.row->note);
    if (feeding_logarithms_.contains(&node)) return std::string(kFeedsLogarithm);
    if (opset_ < s.row->since) {
      return fmt::format("its 8-bit form needs opset {}, the model has {}", s.row->since, opset_);
    }
    if (s.row->declines != nullptr) {
      if (std::string reason = s.row->declines(node); !reason.empty()) return reason;
    }
    if (node.output(0) == nullptr) return "its output is not used";
    return s.row->role == Role::kClamp ? std::string() : operands_decline(s);
  }

  std::string operands_decline(const NodeState& s) const {
    const ir::Node& node = *s.node;
    const bool weighted = s.row->role == Role::kWeighted;
    bool any = false;
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      const ir::Value* v = node.input(i);
      if (v == nullptr || !is_data_operand(*s.row, i)) continue;
      if (float_constant(v)) {
        if (!all_finite(v)) return fmt::format("constant '{}' holds NaN or infinity", v->name());
        if (i == 0 && weighted) return "its first operand is a constant";
        continue;
      }
      if (v->has_initializer()) {
        return fmt::format("operand '{}' is not a float constant that only this model sets",
                           v->name());
      }
      any = true;
      // Movers pass on their source's parameters; only the source needs a range.
      if (s.row->role != Role::kMover && !calibrated(v)) {
        return fmt::format("no range of '{}' was calibrated", v->name());
      }
    }
    if (!any) return "all its operands are constants";
    if (weighted && s.row->needs_quantized_output && !float_constant(node.input(1))) {
      return node.input(1) != nullptr && node.input(1)->producer() != nullptr
                 ? "its weight is computed at run time; let the optimizer fold constants first"
                 : "its weight is not a float constant";
    }
    if (weighted && !float_constant(node.input(1))) return "both operands are activations";
    if (weighted && !s.row->needs_quantized_output &&
        node.input(1)->constant()->size() < kSmallestProduct) {
      return "its weight is so small that quantizing its input would cost more than it gains";
    }
    if (weighted && node.input(2) != nullptr && !all_finite(node.input(2))) {
      return "its bias holds NaN or infinity";
    }
    return {};
  }

  // The only consumer of a value, or null when there are several or the value leaves the graph.
  ir::Node* only_user(const ir::Value& v) const {
    if (v.is_graph_output() || v.uses().size() != 1) return nullptr;
    ir::Node* user = v.uses()[0].node;
    return &user->graph() == &graph_ ? user : nullptr;
  }

  // An Add of one constant per column after a product that has no bias operand.
  bool is_bias_add(const NodeState& s, const ir::Node& add) const {
    if (!s.row->bias_follows_as_add || !add.is("Add") || add.inputs().size() != 2) return false;
    if (matches_any(options_.exclude_nodes, keys_.of(add))) return false;
    const ir::Value* other = add.input(0) == s.node->output(0) ? add.input(1) : add.input(0);
    const ir::Tensor& weight = *s.node->input(1)->constant();
    if (!float_constant(other) || weight.rank() != 2) return false;
    const ir::Tensor& bias = *other->constant();
    return bias.rank() == 1 && bias.dim(0) == weight.dim(1) && all_finite(other);
  }

  // The runtime makes a product and its bias one kernel only when it knows the row count.
  static bool rows_are_known(const NodeState& s) {
    const ir::Type& type = s.node->input(0)->type;
    return type.shape && (type.shape->size() == 2 || ir::known_dims(*type.shape));
  }

  void absorb(NodeState& root, ir::Node& node, std::string reason) {
    NodeState& s = *d_.of.at(&node);
    s.absorbed_into = &root;
    s.quantized = false;
    s.reason = std::move(reason);
    root.tail = node.output(0);
  }

  void absorb_tail(NodeState& s) {
    if (!s.quantized || s.absorbed_into != nullptr || s.row->role == Role::kMover) return;
    ir::Node* next = only_user(*s.tail);
    if (next != nullptr && s.row->role == Role::kWeighted && is_bias_add(s, *next)) {
      if (!rows_are_known(s)) {
        NodeState& add = *d_.of.at(next);
        add.quantized = false;
        add.reason = "bias of a product of unknown row count: added in float";
        return;
      }
      s.bias_add = next;
      absorb(s, *next, "");
      next = only_user(*s.tail);
    }
    if (next == nullptr) return;
    NodeState& clamp = *d_.of.at(next);
    ClampBounds bounds;
    if (clamp.row == nullptr || clamp.row->role != Role::kClamp || !clamp.reason.empty() ||
        next->input(0) != s.tail || !clamp_bounds(*next, bounds) || bounds.low > 0 ||
        bounds.high < 0 || !calibrated(next->output(0))) {
      return;
    }
    s.clamp = next;
    absorb(s, *next, "");
  }

  // A quantized output needs a range after bias and clamp; before them none is used.
  void require_output_range(NodeState& s) {
    const bool always = candidate(s, Role::kArithmetic) ||
                        (candidate(s, Role::kWeighted) && s.row->needs_quantized_output);
    const bool fixed = s.row != nullptr && s.row->unit_output && s.clamp == nullptr;
    if (always && !fixed && !calibrated(s.tail)) {
      drop(s, fmt::format("no range of its output '{}' was calibrated", s.tail->name()));
    }
  }

  bool candidate(const NodeState& s, Role role) const { return s.quantized && s.row->role == role; }

  template <typename Visit>
  static void for_each_activation(const NodeState& s, Visit&& visit) {
    for (size_t i = 0; i < s.node->inputs().size(); ++i) {
      ir::Value* v = s.node->input(i);
      if (v != nullptr && is_data_operand(*s.row, i) && v->constant() == nullptr) visit(v);
    }
  }

  // Recomputes which values exist in 8 bits; drops arithmetic whose operands do not.
  bool sweep_forward() {
    bool changed = false;
    available_.clear();
    for (const NodeState& s : d_.states) {
      if (candidate(s, Role::kWeighted)) {
        for_each_activation(s, [&](ir::Value* v) { available_.insert(v); });
      }
    }
    for (NodeState& s : d_.states) {
      if (!s.quantized) continue;
      const ir::Value* missing = nullptr;
      if (s.row->role != Role::kWeighted) {
        for_each_activation(s, [&](ir::Value* v) {
          if (!available_.contains(v) && missing == nullptr) missing = v;
        });
      }
      if (s.row->role == Role::kMover) {
        if (missing == nullptr) {
          for (ir::Value* v : s.node->outputs()) available_.insert(v);
        }
      } else if (missing == nullptr) {
        available_.insert(s.tail);
      } else {
        drop(s, fmt::format("operand '{}' is float", missing->name()));
        changed = true;
      }
    }
    return changed;
  }

  // Recomputes which values some integer kernel reads; drops arithmetic that feeds none.
  bool sweep_backward() {
    bool changed = false;
    demanded_.clear();
    for (auto it = d_.states.rbegin(); it != d_.states.rend(); ++it) {
      NodeState& s = *it;
      if (!s.quantized) continue;
      const bool wanted =
          s.row->role == Role::kMover
              ? std::any_of(s.node->outputs().begin(), s.node->outputs().end(),
                            [&](const ir::Value* v) { return demanded_.contains(v); })
              : demanded_.contains(s.tail);
      if (s.row->role == Role::kArithmetic && !wanted) {
        drop(s, "no integer operator reads its result");
        changed = true;
      } else if (s.row->role == Role::kWeighted || wanted) {
        for_each_activation(s, [&](ir::Value* v) { demanded_.insert(v); });
      }
    }
    return changed;
  }

  void drop(NodeState& s, std::string reason) {
    s.quantized = false;
    s.reason = std::move(reason);
    for (ir::Node* tail : {s.bias_add, s.clamp}) {
      if (tail != nullptr) d_.of.at(tail)->absorbed_into = nullptr;
    }
    s.bias_add = s.clamp = nullptr;
  }

  void settle_outputs() {
    for (NodeState& s : d_.states) {
      if (!s.quantized || s.row->role == Role::kMover) continue;
      for_each_activation(s, [&](ir::Value* v) { d_.pairs.insert(v); });
      s.quantized_output = s.row->role == Role::kArithmetic || s.row->needs_quantized_output ||
                           (demanded_.contains(s.tail) && calibrated(s.tail));
      if (s.quantized_output) {
        d_.pairs.insert(s.tail);
      } else if (s.clamp != nullptr) {
        d_.of.at(s.clamp)->absorbed_into = nullptr;
        d_.of.at(s.clamp)->reason = "its result is used in float";
        s.clamp = nullptr;
      }
    }
  }

  // A mover of float data pays when all its readers want 8 bits and its range is not much narrower
  // than its source's, whose scale it would have to use.
  bool worth_quantizing_before(const NodeState& s) const {
    const ir::Value* source = s.node->input(0);
    if (!calibrated(source)) return false;
    const auto& in = table_.tensors.at(source->name());
    for (const ir::Value* v : s.node->outputs()) {
      if (v == nullptr) continue;
      if (v->is_graph_output() || v->uses().empty() || !calibrated(v)) return false;
      const auto& out = table_.tensors.at(v->name());
      if (double{out.max} - out.min < 0.5 * (double{in.max} - in.min)) return false;
      for (const ir::Use& use : v->uses()) {
        const auto user = d_.of.find(use.node);
        if (user == d_.of.end() || !user->second->quantized ||
            !is_data_operand(*user->second->row, use.index)) {
          return false;
        }
      }
    }
    return true;
  }

  bool source_is_integer(const ir::Value* v) const {
    if (v->producer() == nullptr) return false;
    const NodeState& p = *d_.of.at(v->producer());
    const NodeState& root = p.absorbed_into != nullptr ? *p.absorbed_into : p;
    return root.quantized && d_.pairs.contains(v);
  }

  void settle_movers() {
    // Sources that are float: decided from the readers back, so that chains move as one.
    std::unordered_set<const NodeState*> before;
    std::unordered_map<const NodeState*, bool> follows;
    for (auto it = d_.states.rbegin(); it != d_.states.rend(); ++it) {
      if (candidate(*it, Role::kMover) && worth_quantizing_before(*it)) {
        before.insert(&*it);
      } else if (candidate(*it, Role::kMover)) {
        // Decided below; until then readers may not count on it.
        follows[&*it] = false;
        it->quantized = false;
      }
    }
    for (NodeState& s : d_.states) {
      const bool pending = follows.contains(&s);
      if (!pending && !before.contains(&s)) continue;
      ir::Value* source = s.node->input(0);
      const bool paired = d_.pairs.contains(source);
      const bool wanted =
          std::any_of(s.node->outputs().begin(), s.node->outputs().end(),
                      [&](const ir::Value* v) { return v != nullptr && demanded_.contains(v); });
      s.quantized = source_is_integer(source) || before.contains(&s) || (paired && wanted);
      if (!s.quantized) {
        s.reason = "its data is float";
        continue;
      }
      if (calibrated(source) || paired) d_.pairs.insert(source);
      for (const ir::Value* v : s.node->outputs()) {
        if (v != nullptr) d_.pairs.insert(v);
      }
    }
  }

  void explain() {
    for (NodeState& s : d_.states) {
      if (s.absorbed_into != nullptr) {
        const std::string& root = keys_.of(*s.absorbed_into->node);
        s.reason =
            s.row->role == Role::kClamp
                ? fmt::format("removed: quantizing the output of '{}' clamps as it does", root)
                : fmt::format("int32 bias of '{}'", root);
      } else if (s.quantized && s.row->role == Role::kMover) {
        s.reason = "moves 8-bit data; shares its input's scale";
      } else if (s.quantized && s.row->role == Role::kArithmetic) {
        s.reason = "between integer neighbors";
      } else if (s.quantized) {
        s.reason = s.quantized_output ? "integer kernel" : "integer kernel with float output";
      } else if (s.reason.empty()) {
        s.reason = "cannot merge into the quantization before it";
      }
    }
  }

  const ir::Graph& graph_;
  const NodeKeys& keys_;
  const calib::CalibrationTable& table_;
  const PlanOptions& options_;
  const std::unordered_set<const ir::Node*> feeding_logarithms_;
  int64_t opset_ = 0;
  Decisions d_;
  std::unordered_set<const ir::Value*> available_;
  std::unordered_set<const ir::Value*> demanded_;
};

}  // namespace

Decisions decide_static(const ir::Graph& graph, int64_t opset, const NodeKeys& keys,
                        const calib::CalibrationTable& table, const PlanOptions& options) {
  return Decider(graph, keys, table, options).run(opset);
}

}  // namespace fettle::quant
