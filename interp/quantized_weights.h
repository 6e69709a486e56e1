// Products of float32 with constant weights of few bits.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels: MatMulNBits of com.microsoft with constant weights,
// scales and zero points and without g_idx. The weights are held as float32.
std::unique_ptr<AcceleratedKernel> accelerate_matmul_nbits(const NodeFacts& facts);

}  // namespace fettle::interp
