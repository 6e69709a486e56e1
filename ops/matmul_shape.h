// Shapes of MatMul by numpy's rule: batch axes broadcast, a vector on the left is a row, one on the
// right a column, and the axis added for it is dropped from the result.
#pragma once

#include <vector>

#include "ir/type.h"
#include "ops/infer_context.h"

namespace fettle::ops {

struct MatMulShape {
  int64_t m = 1;
  int64_t n = 1;
  int64_t k = 0;
  ir::Dims output;
  // Per matrix of the output: which matrix of A and of B it is the product of.
  std::vector<int64_t> a_matrix;
  std::vector<int64_t> b_matrix;

  // A times B. Throws kBadInput when the shapes cannot be multiplied.
  MatMulShape(const ir::Dims& a, const ir::Dims& b);
};

// Output shape as far as provable; nothing when a rank is unknown (null). Throws kBadInput when the
// shapes surely cannot be multiplied.
std::optional<ir::Shape> matmul_output_shape(const ir::Shape* a, const ir::Shape* b);
// Rule for operators whose output 0 is operand `a` times operand `b` in elements of type `element`.
void infer_matmul(InferContext& context, size_t a, size_t b, ir::DataType element);
// Multiply-accumulates of a product of this output whose left operand is `a`.
int64_t matmul_macs(const ir::Dims& a, const ir::Dims& output);

}  // namespace fettle::ops
