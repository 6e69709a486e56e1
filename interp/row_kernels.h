// Softmax, LogSoftmax and pass-through nodes.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_softmax(const NodeFacts& facts);
// Identity, Dropout without mask, and Cast to the type that the operand has.
std::unique_ptr<AcceleratedKernel> accelerate_pass_through(const NodeFacts& facts);

}  // namespace fettle::interp
