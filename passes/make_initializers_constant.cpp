// Takes initializers out of the list of inputs.
//
//   inputs: x, w = {...}        inputs: x; w is a constant
//
// Before IR version 4 every initializer had to be an input too, so that exporters listed all weights
// there; no pass may touch a weight that callers can override. The model becomes IR version 4, which
// allows constants that are no inputs.
//
// Conditions: IR version < 4 and not told otherwise, or told so (PipelineOptions); the input is no
// graph output, which a constant cannot be in every runtime.
#include "passes/passes.h"

namespace fettle::passes {

int64_t make_initializers_constant(PassContext& context) {
  if (!context.initializers_are_constant) return 0;
  ir::Graph& graph = *context.model.graph;
  const std::vector<ir::Value*> inputs = graph.inputs();
  int64_t count = 0;
  for (ir::Value* input : inputs) {
    if (input->constant() == nullptr || input->is_graph_output()) continue;
    graph.make_plain_constant(*input);
    ++count;
  }
  return count;
}

}  // namespace fettle::passes
