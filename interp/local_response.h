// LRN of float tensors, on layouts of channels as on plain ones.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_local_response(const NodeFacts& facts);

}  // namespace fettle::interp
