// Operators that make values from shapes and bounds: Shape, Size, ConstantOfShape, Range.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_shape(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_size(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_constant_of_shape(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_range(const NodeFacts& facts);

}  // namespace fettle::interp
