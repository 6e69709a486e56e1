#include "quant/plan_entries.h"

#include <algorithm>
#include <unordered_set>

#include "ir/error.h"

namespace fettle::quant {

void store_params(ParamEntries& entries, const std::string& initializer,
                  const std::string& consumer, QuantParams params) {
  const auto [it, fresh] = entries.emplace(initializer, params);
  if (fresh || it->second == params) return;
  entries[{initializer, consumer}] = std::move(params);
}

ParamEntries::const_iterator find_params(const ParamEntries& entries,
                                         const std::string& initializer,
                                         const std::string& consumer) {
  const auto own = entries.find({initializer, consumer});
  return own != entries.end() ? own : entries.find(initializer);
}

void require_initializers(const ir::Graph& graph, const ParamEntries& entries) {
  for (const auto& [key, params] : entries) {
    const ir::Value* v = graph.find(key.initializer);
    if (v == nullptr || v->constant() == nullptr) {
      fail(ErrorCode::kBadInput,
           "plan: expected an initializer '{}' in the model, found none; make "
           "the plan from this model",
           key.initializer);
    }
  }
}

std::vector<ir::Node*> nodes_decided(const ir::Graph& graph, const NodeKeys& keys, const Plan& plan,
                                     const std::vector<std::string_view>& decisions) {
  std::unordered_set<const ir::Node*> chosen;
  for (const NodePlan& entry : plan.nodes) {
    const ir::Node* node = keys.find(entry.node);
    if (node == nullptr || node->op_type != entry.op_type) {
      fail(ErrorCode::kBadInput,
           "plan: expected a node '{}' ({}) in the model, found none; make the "
           "plan from this model",
           entry.node, entry.op_type);
    }
    if (std::find(decisions.begin(), decisions.end(), entry.decision) != decisions.end()) {
      chosen.insert(node);
    }
  }
  std::vector<ir::Node*> nodes;
  for (ir::Node& node : graph.nodes()) {
    if (chosen.contains(&node)) nodes.push_back(&node);
  }
  return nodes;
}

}  // namespace fettle::quant
