// Slice and Split.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_slice(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_split(const NodeFacts& facts);

}  // namespace fettle::interp
