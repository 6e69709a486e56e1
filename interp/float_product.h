// Float32 matrix products on all threads. Results do not depend on their number.
#pragma once

#include <array>

#include "interp/float_functions.h"
#include "interp/packed_matrix.h"

namespace fettle::interp {

// Whether a product of so many multiply-accumulates, with a right operand of so many floats, takes
// longer than a parallel region is worth.
bool worth_sharing(int64_t products, int64_t right);

// What becomes of a product P: out = function(clamp(scale * P + start + bias, low, high)).
struct ProductEnd {
  float scale = 1.0f;
  const float* start = nullptr;  // a matrix like the output, with its steps; may be the output
  const float* bias = nullptr;   // one number per column
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  UnaryFunction function;  // loop null: none
};

// out[r * out_row + j] from a[r * a_row + k * a_step], r < rows. K = b.rows() > 0.
struct LeftMatrix {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t row_step = 0;
  int64_t column_step = 1;
};
void multiply(const LeftMatrix& a, const PackedMatrix& b, const ProductEnd& end, float* out,
              int64_t out_row);
// The same with a right operand in a general layout, on the calling thread alone; overwrites its
// scratch().
void multiply_here(const LeftMatrix& a, const MatrixView& b, const ProductEnd& end, float* out,
                   int64_t out_row);

// Products of many small matrices: for each index of the batch axes, a and b at the given steps.
struct BatchAxis {
  int64_t extent = 1;
  int64_t a_step = 0;
  int64_t b_step = 0;
  int64_t out_step = 0;
};
inline constexpr size_t kBatchAxes = 4;
struct Batch {
  std::array<BatchAxis, kBatchAxes> axes;
};
void multiply(const LeftMatrix& a, const MatrixView& b, const Batch& batch, const ProductEnd& end,
              float* out, int64_t out_row);

}  // namespace fettle::interp
