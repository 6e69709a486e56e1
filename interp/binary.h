// Elementwise functions of several tensors with broadcasting.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Add, Sub, Mul, Div, Max, Min of float, int32 and int64; Pow, PRelu, Sum and Mean of float.
std::unique_ptr<AcceleratedKernel> accelerate_binary(const NodeFacts& facts);
// The kernel for float operands alone; null when there is none for the node.
std::unique_ptr<AcceleratedKernel> accelerate_float_binary(const NodeFacts& facts);

// Comparisons of float, int32 and int64, and And, Or, Xor and Not of bool.
std::unique_ptr<AcceleratedKernel> accelerate_predicate(const NodeFacts& facts);

}  // namespace fettle::interp
