// Products of 8-bit integer matrices with exact 32-bit accumulation.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "interp/accelerated.h"
#include "interp/byte_kernel.h"
#include "interp/product_shape.h"
#include "interp/qdq_loops.h"

namespace fettle::interp {

// One operand: uint8 or int8 elements and their zero points, one or (of B) one per column.
struct IntegerMatrix {
  const ir::Tensor* values = nullptr;
  std::vector<int32_t> zero{0};
  bool constant = false;
  bool transposed = false;  // of B, which then has rank 2
};

// What becomes of the accumulators sum (a - a_zero) * (b - b_zero).
struct ProductResult {
  ByteResult::Kind kind = ByteResult::Kind::kSums;
  std::vector<int32_t> bias;      // none, or one per column
  std::vector<float> multiplier;  // one, or one per column; unused by sums
  std::vector<float> float_bias;  // none, or one per column; of floats
  ByteTarget y;                   // of bytes
};

class IntegerProduct {
 public:
  explicit IntegerProduct(ProductResult result = {}) : result_(std::move(result)) {}

  // The product over broadcast batches. `b` of one object must always be the same tensor when it is
  // constant. Throws kBadInput for shapes that do not fit.
  ir::Tensor multiply(const IntegerMatrix& a, const IntegerMatrix& b);

 private:
  void set_shape(const IntegerMatrix& a, const IntegerMatrix& b);
  void set_columns();
  void pack(const IntegerMatrix& b);
  void set_bias(const IntegerMatrix& a, const IntegerMatrix& b);
  void multiply_matrices(const IntegerMatrix& a, std::byte* out);

  ProductResult result_;
  ir::Dims a_dims_, b_dims_;  // of the last call
  std::optional<ProductShape> shape_;
  int64_t columns_ = 0;  // N up to a multiple of kPanel
  bool packed_constant_ = false;
  int32_t biased_for_a_ = 0;  // zero points that bias_ was made for
  std::vector<int32_t> biased_for_b_;
  std::shared_ptr<ir::Buffer> packed_;  // [matrix of B][panels]
  std::vector<int32_t> sums_;           // [matrix of B][columns]
  std::vector<int32_t> bias_;           // [matrix of B][columns], zero points included
  std::vector<int32_t> column_zero_;    // [columns]; empty when all are zero
  std::vector<int32_t> row_terms_;
  std::vector<float> multiplier_;  // [columns]
  std::vector<float> float_bias_;  // [columns] or none
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
