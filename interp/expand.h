// Expand and Tile: elements repeated along axes.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_expand(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_tile(const NodeFacts& facts);

}  // namespace fettle::interp
