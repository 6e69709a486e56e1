#include "ops/matrix_product.h"

#include <algorithm>

#include "ir/error.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// Terms of the sum whose operands are held as double at once.
constexpr int64_t kDepth = 64;
// Columns worked on at once, so that their sums stay in the first-level cache.
constexpr int64_t kWidth = 1024;

// Rows [row, row + rows) and columns [column, column + columns) of `m`, row by row. `line` is
// scratch space for one stored line of the block.
void load_block(const MatrixOperand& m, int64_t row, int64_t rows, int64_t column, int64_t columns,
                double* line, double* out) {
  if (!m.transposed) {
    for (int64_t r = 0; r < rows; ++r) {
      m.load(m.begin + (row + r) * m.columns + column, columns, out + r * columns);
    }
    return;
  }
  for (int64_t c = 0; c < columns; ++c) {
    m.load(m.begin + (column + c) * m.rows + row, rows, line);
    for (int64_t r = 0; r < rows; ++r) out[r * columns + c] = line[r];
  }
}

// out [rows, columns] += a [rows, depth] b [depth, columns].
void add_product(const double* a, const double* b, int64_t rows, int64_t depth, int64_t columns,
                 double* out) {
  for (int64_t from = 0; from < columns; from += kWidth) {
    const int64_t width = std::min(kWidth, columns - from);
    for (int64_t r = 0; r < rows; ++r) {
      double* to = out + r * columns + from;
      for (int64_t k = 0; k < depth; ++k) {
        const double factor = a[r * depth + k];
        const double* line = b + k * columns + from;
        for (int64_t c = 0; c < width; ++c) to[c] += factor * line[c];
      }
    }
  }
}

}  // namespace

void multiply(const MatrixOperand& a, const MatrixOperand& b, double* out) {
  FETTLE_ASSERT(a.columns == b.rows);
  const int64_t rows = a.rows;
  const int64_t columns = b.columns;
  std::fill_n(out, rows * columns, 0.0);
  const int64_t depth = std::min(kDepth, a.columns);
  ir::Tensor a_scratch = scratch_doubles(rows * depth);
  ir::Tensor b_scratch = scratch_doubles(depth * columns);
  ir::Tensor line_scratch = scratch_doubles(std::max({rows, columns, depth}));
  double* a_block = a_scratch.mutable_data<double>().data();
  double* b_block = b_scratch.mutable_data<double>().data();
  double* line = line_scratch.mutable_data<double>().data();
  for (int64_t k = 0; k < a.columns; k += kDepth) {
    const int64_t count = std::min(kDepth, a.columns - k);
    load_block(a, 0, rows, k, count, line, a_block);
    load_block(b, k, count, 0, columns, line, b_block);
    add_product(a_block, b_block, rows, count, columns, out);
  }
}

LoadOperand plain_loader(const ir::Tensor& tensor) {
  return [&tensor](int64_t begin, int64_t count, double* out) {
    load_doubles(tensor, begin, count, out);
  };
}

}  // namespace fettle::ops
