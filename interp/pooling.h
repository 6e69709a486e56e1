// Pools in float32 through oneDNN, in whatever layout their operand has.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_max_pool(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_average_pool(const NodeFacts& facts);

}  // namespace fettle::interp
