// Products of matrices as the integer runtime wants them.
#pragma once

#include "ir/model.h"

namespace fettle::quant {

// Where A is known to be a matrix and B is a constant one:
//
//   MatMul(A, B)                        ->  Gemm(A, B)
//   Add(MatMul(A, B), C [N] or [1, N])  ->  Gemm(A, B, C)
//
// ONNX Runtime makes a MatMul and whatever is added to it one float Gemm before it looks for
// integer kernels; a Gemm it leaves as it is. The result keeps the name of the output it replaces.
// Requires inferred types. Exact: the same sums, and the same addition.
void write_products_as_gemm(ir::Graph& graph);

}  // namespace fettle::quant
