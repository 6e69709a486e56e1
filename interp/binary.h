// Add, Sub, Mul and Div of float tensors with broadcasting.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels for every operator of the table in binary.cpp.
std::unique_ptr<AcceleratedKernel> accelerate_binary(const NodeFacts& facts);

}  // namespace fettle::interp
