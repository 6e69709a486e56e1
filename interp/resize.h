// Resize and Upsample.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels for both operators.
std::unique_ptr<AcceleratedKernel> accelerate_resize(const NodeFacts& facts);

}  // namespace fettle::interp
