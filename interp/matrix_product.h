// MatMul and Gemm in float32 through oneDNN.
#pragma once

#include "interp/accelerated.h"
#include "interp/post_ops.h"

namespace fettle::interp {

struct ProductOptions {
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1.0f;
  float beta = 1.0f;
  Activation activation;
};

// The attributes of a Gemm node.
ProductOptions gemm_options(const ir::Node& gemm);

// activation(alpha * A' * B' + beta * C). Operands: A, B as for MatMul (broadcast batch axes) and
// an optional C that broadcasts to the product.
std::unique_ptr<AcceleratedKernel> make_product(const ProductOptions& options);

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_matmul(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_gemm(const NodeFacts& facts);

}  // namespace fettle::interp
