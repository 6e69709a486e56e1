#include "quant/relative_precision.h"

#include <algorithm>
#include <vector>

#include "quant/placement.h"

namespace fettle::quant {

std::unordered_set<const ir::Node*> nodes_feeding_logarithms(const ir::Graph& graph) {
  std::vector<const ir::Node*> nodes;
  for (const ir::Node& node : graph.nodes()) nodes.push_back(&node);
  std::unordered_set<const ir::Node*> found;
  std::unordered_set<const ir::Value*> operands;
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    const ir::Node& node = **it;
    const Placement* row = find_placement(node);
    const auto& outputs = node.outputs();
    const bool reached = std::any_of(outputs.begin(), outputs.end(),
                                     [&](const ir::Value* v) { return operands.contains(v); });
    const bool source = row != nullptr && row->wants_relative_precision;
    if (!source && (!reached || (row != nullptr && row->squashes))) continue;
    found.insert(&node);
    for (const ir::Value* v : node.inputs()) {
      if (v != nullptr) operands.insert(v);
    }
  }
  return found;
}

}  // namespace fettle::quant
