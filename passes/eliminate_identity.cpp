// Removes operators that return their input.
//
//   x -> Identity -> y        uses of y read x
//
// What counts as such is in identity_rules.cpp: Identity, Dropout at inference, Cast to the same
// type, views that keep the shape, Expand, Tile, Transpose, Pad, Slice that change nothing, Concat of
// one, x * 1, x / 1, x - 0, x + -0.
//
// Conditions: the result is the operand bit for bit, in type and shape. Where the output is a graph
// output, the operand must be able to take its name: it is computed by a node of the same graph and
// is no graph output itself; a graph input returned as it is needs its Identity.
// Traps: x + 0 is not x for x = -0; a constant of more axes than x broadcasts x; the shape of a view
// may agree in rank and known extents while two others change.
#include "passes/identity_rules.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

int64_t eliminate(PassContext& context, ir::Node& node) {
  std::string reason;
  ir::Value* operand = same_operand(context, node, reason);
  if (operand == nullptr) {
    if (!reason.empty()) context.decline(node, std::move(reason));
    return 0;
  }
  for (size_t i = 1; i < node.outputs().size(); ++i) {
    const ir::Value* v = node.output(i);
    if (v != nullptr && (!v->uses().empty() || v->is_graph_output())) return 0;
  }
  ir::Value& result = *node.output(0);
  const ir::Type type = result.type;
  if (!node.graph().replace_all_uses(result, *operand)) {
    context.decline(node, "its input cannot take over the name of the graph output");
    return 0;
  }
  if (!operand->type.known()) operand->type = type;
  node.graph().erase(node);
  return 1;
}

}  // namespace

int64_t eliminate_identity(PassContext& context) {
  return for_each_node(context.model, [&](ir::Node& node) { return eliminate(context, node); });
}

}  // namespace fettle::passes
