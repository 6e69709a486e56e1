// GatherElements of elements of any type that can be moved as a whole.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_gather_elements(const NodeFacts& facts);

}  // namespace fettle::interp
