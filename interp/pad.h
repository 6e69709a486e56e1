// Pad.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_pad(const NodeFacts& facts);

}  // namespace fettle::interp
