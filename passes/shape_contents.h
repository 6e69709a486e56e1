// Contents of shape-like values as far as inference knows them.
#pragma once

#include <functional>
#include <unordered_map>

#include "ops/table.h"
#include "passes/pass.h"

namespace fettle::passes {

// Follows integer tensors of rank 0 and 1 through a graph by the operators' inference rules, which
// know extents where the data is unknown: Shape, Gather, Concat, arithmetic, ...
class ShapeContents {
 public:
  // `known` gives the contents of values that are constant, else null.
  using Known = std::function<const ir::Tensor*(const ir::Value*)>;
  ShapeContents(const PassContext& context, Known known)
      : context_(context), known_(std::move(known)) {}

  // What is known of the node's only output; null when nothing is. To be called for the nodes of a
  // graph in order. Throws what the rule throws.
  const ops::Ints* infer(const ir::Node& node, const ops::OpDef& op);
  // The same for an operand, constant or inferred before.
  std::optional<ops::Ints> of(const ir::Value* value) const;

 private:
  ops::ValueFacts facts_of(const ir::Value& value) const;

  const PassContext& context_;
  Known known_;
  std::unordered_map<const ir::Value*, ops::ValueFacts> facts_;
};

}  // namespace fettle::passes
