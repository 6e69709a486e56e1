// MatMul and Gemm in float32.
#pragma once

#include "interp/accelerated.h"
#include "interp/product_layout.h"

namespace fettle::interp {

struct ProductOptions {
  bool matrices = false;  // the kernel declines operands without two axes
  OperandOrder a;
  OperandOrder b;
  std::vector<int64_t> out_perm;  // as for product_layout()
  float alpha = 1.0f;
  float beta = 1.0f;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  UnaryFunction function;
  size_t least_rank = 0;  // of the output; the kernel declines fewer axes
};

// The attributes of a Gemm node.
ProductOptions gemm_options(const ir::Node& gemm);

// function(clamp(alpha * A' * B' + beta * C + D, low, high)). Operands: A, B as for MatMul
// (broadcast batch axes), an optional C that broadcasts to the product and an optional D with its
// dims.
std::unique_ptr<AcceleratedKernel> make_product(ProductOptions options);

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_matmul(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_gemm(const NodeFacts& facts);
// FusedMatMul of com.microsoft; none where it transposes batches.
std::unique_ptr<AcceleratedKernel> accelerate_fused_matmul(const NodeFacts& facts);

}  // namespace fettle::interp
