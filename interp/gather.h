// Gather, GatherND and ScatterND.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_gather(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_gather_nd(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_scatter_nd(const NodeFacts& facts);

}  // namespace fettle::interp
