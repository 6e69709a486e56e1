// Replaces an If whose condition is constant by the branch that it takes.
//
//   If (true) <then_branch = {a = F(x)}, else_branch = {...}> -> y        F(x) -> y
//
// Condition: the condition is a constant of one element.
// Traps: branches read values of the graphs around them, and their own values may be named like
// those of the other branch; a branch may return an outer value, which then keeps its name.
#include "ir/clone.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

int64_t fold(PassContext& context, ir::Node& node) {
  if (!node.is("If")) return 0;
  const ir::Tensor* condition = context.constant(node.input(0));
  if (condition == nullptr || condition->type() != ir::DataType::kBool || condition->size() != 1) {
    return 0;
  }
  const bool taken = condition->data<uint8_t>()[0] != 0;
  const ir::Graph* branch = node.attr_graph(taken ? "then_branch" : "else_branch");
  if (branch == nullptr || branch->outputs().size() < node.outputs().size()) return 0;
  ir::CloneRules rules;
  rules.outer_by_name = false;
  rules.value_name = [](ir::Graph& into, const std::string& name) { return into.unique_name(name); };
  ir::GraphCloner cloner(std::move(rules));
  cloner.copy_body(*branch, node);
  std::vector<ir::Result> results;
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value& returned = *branch->outputs()[i];
    results.push_back({cloner.mapped(returned, node.graph()),
                       &returned.graph() == branch && returned.producer() != nullptr});
  }
  ir::replace_node(node, std::move(results));
  return 1;
}

}  // namespace

int64_t fold_if(PassContext& context) {
  return for_each_node(context.model, [&](ir::Node& node) { return fold(context, node); });
}

}  // namespace fettle::passes
