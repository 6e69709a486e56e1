// Transpose, DepthToSpace, SpaceToDepth: permutations of axes.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_transpose(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_depth_to_space(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_space_to_depth(const NodeFacts& facts);

}  // namespace fettle::interp
