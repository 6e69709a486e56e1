// Einsum: sums of products by named axes.
#pragma once

#include <string>
#include <vector>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// An equation over operands of known rank. Labels are small numbers; axes under "..." get labels of
// their own, aligned at the last one.
struct EinsumEquation {
  std::vector<std::vector<int>> operands;  // label of each axis of each operand
  std::vector<int> output;
  int labels = 0;  // one more than the greatest label

  // Throws kBadInput when the equation is malformed or does not fit the ranks.
  EinsumEquation(const std::string& equation, const std::vector<size_t>& ranks);
};

void infer_einsum(InferContext& context);
void einsum(KernelContext& context);
// The product of the extents of all labels, for each operand beyond the first.
int64_t einsum_macs(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                    const std::vector<ir::Dims>& outputs);

}  // namespace fettle::ops
