// Static mode: writes QuantizeLinear and DequantizeLinear as the plan says.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "quant/emit.h"
#include "quant/modes.h"
#include "quant/params.h"
#include "quant/placement.h"
#include "quant/plan_entries.h"

namespace fettle::quant {

namespace {

class StaticRewriter {
 public:
  StaticRewriter(ir::Model& model, const Plan& plan)
      : graph_(*model.graph), plan_(plan), keys_(graph_) {}

  void run() {
    quantized_ = nodes_decided(graph_, keys_, plan_, {"quantize", "follow"});
    integer_.insert(quantized_.begin(), quantized_.end());
    for (const auto& [name, params] : plan_.activations) find_value(graph_, name);
    require_initializers(graph_, plan_.weights);
    require_initializers(graph_, plan_.biases);
    for (ir::Node* node : quantized_) replace_constants(*node);
    for (ir::Node* node : quantized_) remove_clamp(*node);
    insert_pairs();
    for (ir::Value* v : replaced_) erase_if_unused(graph_, *v);
  }

 private:
  // True for the Add that holds the bias of a quantized product.
  bool is_bias_add(const ir::Node& node) const {
    for (const ir::Value* v : node.inputs()) {
      const ir::Node* product = v != nullptr ? v->producer() : nullptr;
      if (product == nullptr || !integer_.contains(product)) continue;
      const Placement* row = find_placement(*product);
      if (row != nullptr && row->bias_follows_as_add && !plan_.activations.contains(v->name())) {
        return true;
      }
    }
    return false;
  }

  void replace_constants(ir::Node& node) {
    const Placement* row = find_placement(node);
    if (row == nullptr || row->role == Role::kMover || row->role == Role::kClamp) return;
    const bool weighted = row->role == Role::kWeighted;
    const bool bias_add = !weighted && is_bias_add(node);
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      ir::Value* v = node.input(i);
      if (v == nullptr || v->constant() == nullptr) continue;
      const bool bias = bias_add || (weighted && i == 2);
      if (!bias && !is_data_operand(*row, i)) continue;
      const ParamEntries& entries = bias ? plan_.biases : plan_.weights;
      const auto entry = find_params(entries, v->name(), keys_.of(node));
      if (entry == entries.end()) continue;
      node.set_input(i, &dequantized(*v, bias, entry->first, entry->second, node));
      if (std::find(replaced_.begin(), replaced_.end(), v) == replaced_.end()) {
        replaced_.push_back(v);
      }
    }
  }

  // The dequantized form of a constant under one plan entry, made once.
  ir::Value& dequantized(ir::Value& constant, bool bias, const ParamKey& key,
                         const QuantParams& params, ir::Node& user) {
    ir::Value*& made = stored_[{bias, key}];
    if (made != nullptr) return *made;
    ir::Tensor values = *constant.constant();
    if (bias) {
      const auto channels = params.axis < 0 ? std::max<int64_t>(values.size(), 1)
                                            : static_cast<int64_t>(params.scale.size());
      values = ir::Tensor::of<float>({channels}, bias_per_channel(values, channels));
    }
    made = &add_dequantized_constant(graph_, constant.name(), quantize_tensor(values, params),
                                     params, &user);
    return *made;
  }

  // Removes a Relu or Clip whose work the quantization of its output does.
  void remove_clamp(ir::Node& node) {
    const Placement* row = find_placement(node);
    if (row == nullptr || row->role != Role::kClamp) return;
    ir::Value& in = *node.input(0);
    ir::Value& out = *node.output(0);
    const auto params = plan_.activations.find(out.name());
    if (params == plan_.activations.end() || !clamp_is_redundant(node, params->second) ||
        in.producer() == nullptr || !integer_.contains(in.producer()) || in.uses().size() != 1 ||
        in.is_graph_output() || plan_.activations.contains(in.name())) {
      return;
    }
    substitute(graph_, node, in);
  }

  void insert_pairs() {
    std::vector<ir::Value*> values = graph_.inputs();
    for (ir::Node& node : graph_.nodes()) {
      for (ir::Value* v : node.outputs()) {
        if (v != nullptr) values.push_back(v);
      }
    }
    for (ir::Value* v : values) {
      const auto entry = plan_.activations.find(v->name());
      if (entry != plan_.activations.end()) insert_pair(*v, entry->second);
    }
  }

  bool reads_integers(const ir::Use& use) const {
    const Placement* row = integer_.contains(use.node) ? find_placement(*use.node) : nullptr;
    return row != nullptr && is_data_operand(*row, use.index);
  }

  // Behind an integer kernel every reader takes the dequantized value, so that the kernel's result
  // has one consumer; behind float code only integer kernels do.
  void insert_pair(ir::Value& v, const QuantParams& params) {
    const bool all = v.producer() != nullptr && integer_.contains(v.producer());
    std::vector<ir::Use> uses = v.uses();
    if (!all) std::erase_if(uses, [&](const ir::Use& use) { return !reads_integers(use); });
    if (uses.empty() && !(all && v.is_graph_output())) return;
    ir::Value& back = add_pair(graph_, v, params);
    ir::Node& quantize = *back.producer()->input(0)->producer();
    if (all && v.is_graph_output()) {
      const std::string name = v.name();
      if (!graph_.replace_all_uses(v, back)) return;
      quantize.set_input(0, &v);
      graph_.rename(v, graph_.unique_name(name + "_QuantizeLinear_Input"));
      return;
    }
    for (const ir::Use& use : uses) use.node->set_input(use.index, &back);
  }

  ir::Graph& graph_;
  const Plan& plan_;
  NodeKeys keys_;
  std::vector<ir::Node*> quantized_;  // in graph order
  std::unordered_set<const ir::Node*> integer_;
  std::map<std::pair<bool, ParamKey>, ir::Value*> stored_;  // by "is a bias" and plan entry
  std::vector<ir::Value*> replaced_;
};

}  // namespace

void apply_static(ir::Model& model, const Plan& plan) {
  StaticRewriter(model, plan).run();
}

}  // namespace fettle::quant
