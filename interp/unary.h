// Elementwise functions of one float tensor, in whatever layout the operand has.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels for every operator that unary_function() knows.
std::unique_ptr<AcceleratedKernel> accelerate_unary(const NodeFacts& facts);

}  // namespace fettle::interp
