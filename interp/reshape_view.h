// Operators whose output holds the operand's elements in the same order: the output shares them.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Reshape, Flatten, Squeeze, Unsqueeze.
std::unique_ptr<AcceleratedKernel> accelerate_view(const NodeFacts& facts);

}  // namespace fettle::interp
