// Products of 8-bit integer matrices with exact 32-bit accumulation.
#pragma once

#include <memory>
#include <vector>

#include "interp/accelerated.h"
#include "interp/packed_weights.h"
#include "interp/product_shape.h"
#include "interp/qdq_loops.h"
#include "interp/shape_cache.h"

namespace fettle::interp {

// One operand: uint8 or int8 elements and their zero points, one or (of B) one per column.
struct IntegerMatrix {
  const ir::Tensor* values = nullptr;
  std::vector<int32_t> zero{0};
  bool constant = false;
  bool transposed = false;  // of B, which then has rank 2
};

class IntegerProduct {
 public:
  IntegerProduct();
  ~IntegerProduct();

  // sum (a - a_zero) * (b - b_zero) over broadcast batches, int32 of the product's shape. `b` of
  // one object must always be the same tensor when it is constant. Throws kBadInput for shapes that
  // do not fit.
  ir::Tensor accumulate(const IntegerMatrix& a, const IntegerMatrix& b);

 private:
  struct Compiled;
  const ir::Tensor& signed_b(const IntegerMatrix& source);
  void multiply(const ProductShape& shape, const ir::Tensor& a, const IntegerMatrix& source,
                ir::Tensor& out);
  std::unique_ptr<Compiled> compile(const ProductShape& shape, const ir::Tensor& a,
                                    const IntegerMatrix& source) const;

  PackedWeights packed_;
  ir::Tensor signed_;  // B as int8, while it is needed
  std::vector<int32_t> column_sums_;
  ShapeCache<Compiled> cache_;
};

// requantize or scale (a * b + bias); operand 0 of the kernel is a, operand 1 is b when it is not
// constant.
struct IntegerProductSpec {
  ByteTarget a;
  ir::Tensor b;                   // undefined: operand 1
  ByteTarget b_type;              // of operand 1
  std::vector<int32_t> b_zero;    // of `b`: one, or one per column
  bool transpose_b = false;       // Gemm
  std::vector<int32_t> bias;      // none, or one per column
  std::vector<float> multiplier;  // one, or one per column
  bool quantized = true;
  ByteTarget y;                   // when quantized
  std::vector<float> float_bias;  // none, or one per column; added when not quantized
};

// The kernel never declines; it throws kBadInput for operands of other types or shapes.
std::unique_ptr<AcceleratedKernel> make_integer_product(IntegerProductSpec spec);

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_matmul_integer(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_qlinear_matmul(const NodeFacts& facts);

}  // namespace fettle::interp
