// Gelu, BiasGelu, FastGelu and QuickGelu of com.microsoft in float32.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_biased_activation(const NodeFacts& facts);

}  // namespace fettle::interp
