// The product of two matrices in double; exact for integer operands of at most 8 bits.
#pragma once

#include "ops/correlation.h"

namespace fettle::ops {

// A matrix [rows, columns] within an operand, stored row by row from element `begin` on, or column
// by column when `transposed`.
struct MatrixOperand {
  LoadOperand load;
  int64_t begin = 0;
  int64_t rows = 0;
  int64_t columns = 0;
  bool transposed = false;
};

// out [a.rows, b.columns] = a b. Sums run over k in ascending order. Requires a.columns == b.rows.
void multiply(const MatrixOperand& a, const MatrixOperand& b, double* out);

// The operand as it is, without zero points. `tensor` must outlive the result.
LoadOperand plain_loader(const ir::Tensor& tensor);

}  // namespace fettle::ops
