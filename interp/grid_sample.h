// GridSample of float32 maps of two axes.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels: modes nearest and linear.
std::unique_ptr<AcceleratedKernel> accelerate_grid_sample(const NodeFacts& facts);

}  // namespace fettle::interp
