#include "interp/graph_fusions.h"

#include <algorithm>

namespace fettle::interp {

GraphFusions::GraphFusions(const ir::Graph& graph, const std::set<std::string>& watched,
                           ConstantLookup constants, OpsetLookup opsets)
    : graph_(graph),
      watched_(watched),
      constants_(std::move(constants)),
      opsets_(std::move(opsets)) {
  size_t position = 0;
  for (const ir::Node& node : graph.nodes()) positions_.emplace(&node, position++);
}

void GraphFusions::find() {
  for (const ir::Node& node : graph_.nodes()) {
    if (taken(node)) continue;
    std::optional<Fusion> fusion = find_fusion(node, *this);
    if (!fusion) continue;
    const auto held = [&](const ir::Node* member) { return taken(*member); };
    if (std::any_of(fusion->members.begin(), fusion->members.end(), held)) continue;
    members_.insert(fusion->members.begin(), fusion->members.end());
    by_last_.emplace(fusion->members.back(), std::move(*fusion));
  }
  find_live();
}

Fusion* GraphFusions::at(const ir::Node& node) {
  const auto found = by_last_.find(&node);
  return found == by_last_.end() ? nullptr : &found->second;
}

bool GraphFusions::skipped(const ir::Node& node) const {
  return dead_.contains(&node) || (members_.contains(&node) && !by_last_.contains(&node));
}

const ir::Tensor* GraphFusions::constant(const ir::Value* value) const {
  return value == nullptr ? nullptr : constants_(*value);
}

std::vector<const ir::Node*> GraphFusions::readers(const ir::Value* value) const {
  std::vector<const ir::Node*> nodes;
  if (value == nullptr || value->is_graph_output() || watched_.contains(value->name()))
    return nodes;
  for (const ir::Use& use : value->uses()) {
    if (!positions_.contains(use.node)) return {};
    nodes.push_back(use.node);
  }
  return nodes;
}

const ir::Node* GraphFusions::sole_reader(const ir::Value* value) const {
  const std::vector<const ir::Node*> nodes = readers(value);
  return nodes.size() == 1 ? nodes.front() : nullptr;
}

bool GraphFusions::available_before(const ir::Value* value, const ir::Node& node) const {
  const ir::Node* producer = value->producer();
  if (producer == nullptr) return true;
  const auto at = positions_.find(producer);
  return at == positions_.end() || at->second < positions_.at(&node);
}

// Marks what the step in the place of `node` reads, values captured by its subgraphs included.
void GraphFusions::mark_read(const ir::Node& node) {
  const auto mark = [&](const ir::Node& reader) {
    read_.insert(reader.inputs().begin(), reader.inputs().end());
  };
  const auto fused = by_last_.find(&node);
  if (fused != by_last_.end()) {
    const Fusion& fusion = fused->second;
    read_.insert(fusion.inputs.begin(), fusion.inputs.end());
    if (!fusion.may_decline) return;
    for (const ir::Node* member : fusion.members) mark(*member);
    return;
  }
  mark(node);
  for (ir::Graph* body : node.subgraphs()) {
    ir::for_each_graph(*body, [&](ir::Graph& graph) {
      for (const ir::Node& inner : graph.nodes()) mark(inner);
      read_.insert(graph.outputs().begin(), graph.outputs().end());
    });
  }
}

void GraphFusions::find_live() {
  read_.insert(graph_.outputs().begin(), graph_.outputs().end());
  std::vector<const ir::Node*> order;
  for (const ir::Node& node : graph_.nodes()) order.push_back(&node);
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const ir::Node& node = **at;
    if (members_.contains(&node) && !by_last_.contains(&node)) continue;
    const auto needed = [&](const ir::Value* output) {
      return output != nullptr && (read_.contains(output) || watched_.contains(output->name()));
    };
    if (std::any_of(node.outputs().begin(), node.outputs().end(), needed)) {
      mark_read(node);
    } else {
      dead_.insert(&node);
    }
  }
}

}  // namespace fettle::interp
