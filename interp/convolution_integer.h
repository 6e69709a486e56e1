// ConvInteger with constant weights.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_convolution_integer(const NodeFacts& facts);

}  // namespace fettle::interp
