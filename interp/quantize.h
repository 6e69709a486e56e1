// QuantizeLinear and DequantizeLinear between float32 and 8-bit integers with one constant scale.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_quantize(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_dequantize(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_dynamic_quantize(const NodeFacts& facts);

}  // namespace fettle::interp
