// Merges consecutive Transposes.
//
//   x -> Transpose(p) -> Transpose(q) -> y        x -> Transpose(r) -> y,  r[i] = p[q[i]]
//
// A merged permutation that is the identity is removed by eliminate_identity.
//
// Condition: both permutations are given, or the rank is known (the default reverses the axes). The
// first Transpose may have other readers: it stays for them.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

std::optional<std::vector<int64_t>> permutation(const ir::Node& node) {
  std::vector<int64_t> perm = node.attr_ints("perm");
  if (!perm.empty()) return perm;
  const ir::Shape* shape = shape_of(node.input(0));
  if (shape == nullptr) return std::nullopt;
  for (size_t i = shape->size(); i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  return perm;
}

int64_t merge(ir::Node& node) {
  if (!node.is("Transpose") || node.input(0) == nullptr) return 0;
  const ir::Node* before = node.input(0)->producer();
  if (before == nullptr || !before->is("Transpose") || before->input(0) == nullptr) return 0;
  const auto first = permutation(*before);
  const auto second = permutation(node);
  if (!first || !second || first->size() != second->size()) return 0;
  std::vector<int64_t> merged;
  for (const int64_t axis : *second) {
    if (axis < 0 || axis >= static_cast<int64_t>(first->size())) return 0;
    merged.push_back((*first)[static_cast<size_t>(axis)]);
  }
  node.set_input(0, before->input(0));
  node.set_attribute(ir::Attribute("perm", std::move(merged)));
  return 1;
}

}  // namespace

int64_t cancel_transposes(PassContext& context) {
  return for_each_node(context.model, [](ir::Node& node) { return merge(node); });
}

}  // namespace fettle::passes
