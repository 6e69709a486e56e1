// Lets a Reshape read what the view before it reads.
//
//   x -> Flatten -> Reshape(s) -> y        x -> Reshape(s) -> y
//
// The view before may be Reshape, Flatten, Squeeze or Unsqueeze: all keep the elements in order.
//
// Condition: the target shape is constant and copies no extent from its input (no 0 unless allowzero
// is set, where 0 means 0); -1 is fine, since the element count is the same.
// Trap: runs of Unsqueeze alone are left as they are; runtimes recognize patterns by them.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

constexpr std::string_view kViews[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};

bool is_view(const ir::Node& node) {
  return std::any_of(std::begin(kViews), std::end(kViews),
                     [&](std::string_view op) { return node.is(op); });
}

int64_t merge(PassContext& context, ir::Node& node) {
  if (!node.is("Reshape") || node.input(0) == nullptr) return 0;
  const ir::Node* before = node.input(0)->producer();
  if (before == nullptr || !is_view(*before) || before->input(0) == nullptr) return 0;
  const auto target = constant_ints(context, node, 1);
  if (!target) return 0;
  const bool copies = node.attr_int("allowzero", 0) == 0 &&
                      std::find(target->begin(), target->end(), 0) != target->end();
  if (copies) {
    context.decline(node, "its target shape copies an extent of the view before it");
    return 0;
  }
  node.set_input(0, before->input(0));
  return 1;
}

}  // namespace

int64_t merge_reshapes(PassContext& context) {
  return for_each_node(context.model, [&](ir::Node& node) { return merge(context, node); });
}

}  // namespace fettle::passes
