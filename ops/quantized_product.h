// Exact products of 8-bit matrices.
#pragma once

#include <functional>
#include <span>

#include "ops/matmul_shape.h"
#include "ops/quantized_operands.h"

namespace fettle::ops {

// Takes row `row` of matrix `matrix` of a product: the exact sums.
using StoreProduct = std::function<void(int64_t matrix, int64_t row, std::span<const double> sums)>;

// (a - a_zero) (b - b_zero) for every matrix of the output of MatMul. The zero points are those of
// line_zero_points(): by row of `a`, by column of `b`.
void quantized_matmul(const ir::Tensor& a, const ZeroPoints& a_zero, const ir::Tensor& b,
                      const ZeroPoints& b_zero, const MatMulShape& shape,
                      const StoreProduct& store);

}  // namespace fettle::ops
