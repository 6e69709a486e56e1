// Finds types and shapes of values. Changes no computation, so that it reports no rewrite.
//
// Trap: files carry stale shapes of inner values, left from before their inputs were changed. Where
// declarations contradict what follows from the inputs, those of inner values are dropped.
#include "ops/infer.h"

#include "ir/error.h"
#include "passes/passes.h"

namespace fettle::passes {
namespace {

void forget_inner_types(ir::Model& model) {
  ir::for_each_graph(*model.graph, [](ir::Graph& graph) {
    for (ir::Value* value : graph.values()) {
      if (value->producer() != nullptr && !value->is_graph_output()) value->type = {};
    }
  });
}

}  // namespace

int64_t infer_shapes(PassContext& context) {
  try {
    ops::infer_shapes(context.model);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) throw;
    forget_inner_types(context.model);
    ops::infer_shapes(context.model);
    context.declined.push_back({context.current_pass, "", std::string("declared shapes of inner values "
                                "were dropped: ") + error.what()});
  }
  return 0;
}

}  // namespace fettle::passes
