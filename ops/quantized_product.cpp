#include "ops/quantized_product.h"

#include "ops/checked.h"
#include "ops/matrix_product.h"
#include "ops/real_elements.h"

namespace fettle::ops {

void quantized_matmul(const ir::Tensor& a, const ZeroPoints& a_zero, const ir::Tensor& b,
                      const ZeroPoints& b_zero, const MatMulShape& s, const StoreProduct& store) {
  if (ir::element_count(s.output) == 0) return;
  const LoadOperand load_a = row_shifted_loader(a, a_zero, s.k);
  const LoadOperand load_b = column_shifted_loader(b, b_zero, s.k, s.n);
  ir::Tensor scratch = scratch_doubles(checked_mul(s.m, s.n));
  double* product = scratch.mutable_data<double>().data();
  for (size_t i = 0; i < s.a_matrix.size(); ++i) {
    multiply({load_a, s.a_matrix[i] * s.m * s.k, s.m, s.k},
             {load_b, s.b_matrix[i] * s.k * s.n, s.k, s.n}, product);
    for (int64_t r = 0; r < s.m; ++r) {
      store(static_cast<int64_t>(i), r, {product + r * s.n, static_cast<size_t>(s.n)});
    }
  }
}

}  // namespace fettle::ops
