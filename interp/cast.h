// Cast between float, integers and bool.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_cast(const NodeFacts& facts);

}  // namespace fettle::interp
