// FusedConv of com.microsoft in float32: a convolution, an addend and an activation.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels; none for activations that are not known.
std::unique_ptr<AcceleratedKernel> accelerate_fused_convolution(const NodeFacts& facts);

}  // namespace fettle::interp
