// Einsum of one or two float32 operands.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_einsum(const NodeFacts& facts);

}  // namespace fettle::interp
