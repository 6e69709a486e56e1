// What the floating, integer and quantized convolutions share besides the arithmetic.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Sets output 0 to `element` and the shape of convolving operand `x` with operand `w`.
void infer_convolution(InferContext& context, size_t x, size_t w, ir::DataType element);
// Product of numbers >= 0, at most INT64_MAX.
int64_t saturating_product(const ir::Dims& factors);
// Multiply-accumulates of a convolution whose weights are operand `w`.
int64_t convolution_macs(const std::vector<ir::Dims>& inputs, const std::vector<ir::Dims>& outputs,
                         size_t w);

}  // namespace fettle::ops
