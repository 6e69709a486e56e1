// What If, Loop and Scan share.
#pragma once

#include <vector>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// The subgraph that a node holds in this attribute; throws kBadInput when there is none.
ir::Graph& body_of(const ir::Node& node, const char* attribute);

// Infers a body that runs repeatedly with `states` carried over: its inputs are `before`, states,
// `after`; its outputs from `first_state` on are the next states. Widens `states` to types that
// hold before and after every iteration, and returns the body's outputs under these.
std::vector<ValueFacts> infer_iterated(InferContext& ctx, ir::Graph& body,
                                       const std::vector<ValueFacts>& before,
                                       std::vector<ir::Type>& states,
                                       const std::vector<ValueFacts>& after, size_t first_state);

// One tensor per iteration, to become one tensor.
class Stack {
 public:
  // Throws kBadInput when the value is no tensor or differs in type or shape from the others.
  void push(const RuntimeValue& value);
  // Joins the tensors along a new axis (counted from the end of the result when negative), the last
  // one first when `reversed`, up to `extent` entries, the missing ones zero. An empty stack takes
  // element type and shape from `fallback`, unknown extents as 0.
  ir::Tensor joined(int64_t axis, bool reversed, int64_t extent, const ir::Type& fallback) const;
  int64_t size() const { return static_cast<int64_t>(parts_.size()); }

 private:
  std::vector<ir::Tensor> parts_;
};

void infer_scan(InferContext& ctx);
void scan(KernelContext& ctx);

}  // namespace fettle::ops
