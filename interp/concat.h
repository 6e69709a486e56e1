// Concat of plain tensors along any axis, and of tensors in channel layouts along the channels.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_concat(const NodeFacts& facts);

}  // namespace fettle::interp
