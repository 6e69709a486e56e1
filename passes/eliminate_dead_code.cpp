// Removes nodes of which no output is read, and constants that nothing reads.
//
// Conditions: the value is no graph output. Graph inputs stay, and so do their defaults.
// Nodes without outputs stay: they can only be there for an effect.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

bool is_dead(const ir::Node& node) {
  bool has_output = false;
  for (const ir::Value* v : node.outputs()) {
    if (v == nullptr) continue;
    has_output = true;
    if (!v->uses().empty() || v->is_graph_output()) return false;
  }
  return has_output;
}

// Backwards, so that a chain goes in one walk. What a subgraph reads keeps outer nodes alive, so it
// is cleaned before them. Nesting is bounded by the reader.
int64_t erase_dead_nodes(ir::Graph& graph) {
  std::vector<ir::Node*> nodes;
  for (ir::Node& node : graph.nodes()) nodes.push_back(&node);
  int64_t count = 0;
  for (size_t i = nodes.size(); i-- > 0;) {
    if (is_dead(*nodes[i])) {
      graph.erase(*nodes[i]);
      ++count;
      continue;
    }
    for (ir::Graph* sub : nodes[i]->subgraphs()) count += erase_dead_nodes(*sub);
  }
  return count;
}

}  // namespace

int64_t eliminate_dead_code(PassContext& context) {
  int64_t count = erase_dead_nodes(*context.model.graph);
  ir::for_each_graph(*context.model.graph, [&](ir::Graph& graph) {
    count += static_cast<int64_t>(graph.erase_unused_constants());
  });
  return count;
}

}  // namespace fettle::passes
