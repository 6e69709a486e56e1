#include "interp/float_product.h"

#include <algorithm>

#include "interp/blocked.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

constexpr int64_t kRowBlock = 8 * kTileRows;
constexpr int64_t kDeep = 2048;  // longer sums are cut, so that operands stay in the cache
constexpr int64_t kDepthBlock = 1024;
constexpr int64_t kColumnBlock = 256;  // a multiple of every width of kernels

Strip strip_of(const LeftMatrix& a, int64_t depth, const ProductEnd& end, float* out,
               int64_t out_row) {
  Strip s;
  s.a = a.data;
  s.a_row = a.row_step;
  s.a_step = a.column_step;
  s.depth = depth;
  s.start = end.start;
  s.start_row = out_row;
  s.bias = end.bias;
  s.scale = end.scale;
  s.low = end.low;
  s.high = end.high;
  s.out = out;
  s.out_row = out_row;
  s.rows = a.rows;
  return s;
}

// Moves the strip to rows [first, first + rows).
void take_rows(Strip& s, int64_t first, int64_t rows) {
  s.a += first * s.a_row;
  s.out += first * s.out_row;
  if (s.start != nullptr) s.start += first * s.start_row;
  s.rows = rows;
}

// The strip at columns from `first` on; right operand and number of columns are the caller's.
Strip at_column(const Strip& whole, int64_t first) {
  Strip s = whole;
  s.out += first;
  if (s.start != nullptr) s.start += first;
  if (s.bias != nullptr) s.bias += first;
  return s;
}

// A strip of a product with `rows` rows in all.
void multiply_strip(const TileKernels& kernels, const Strip& s, int64_t rows) {
  if (s.depth <= kDeep || rows <= kTileRows) {
    kernels.multiply(s);
    return;
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (int64_t k = 0; k < s.depth; k += kDepthBlock) {
    Strip part = s;
    part.a += k * s.a_step;
    part.b += k * s.b_row;
    part.depth = std::min(kDepthBlock, s.depth - k);
    if (k > 0) {
      part.start = s.out;
      part.start_row = s.out_row;
      part.bias = nullptr;
    }
    const bool last = k + part.depth == s.depth;
    part.low = last ? s.low : -kInfinity;
    part.high = last ? s.high : kInfinity;
    kernels.multiply(part);
  }
}

void apply(const UnaryFunction& function, float* out, int64_t out_row, int64_t rows,
           int64_t columns) {
  if (function.loop == nullptr) return;
  if (out_row == columns || rows == 1) {
    function.apply(out, out, rows * columns);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    function.apply(out + r * out_row, out + r * out_row, columns);
  }
}

// Rows of one product whose right operand lies in a general layout.
class Direct {
 public:
  Direct(const MatrixView& b, int64_t rows) : b_(b), kernels_(tile_kernels()), rows_(rows) {}

  void run(const Strip& whole) const {
    if (by_dots(whole)) {
      Strip s = whole;
      s.b = b_.data;
      s.b_row = b_.column_step;
      s.columns = b_.columns;
      kernels_.multiply_transposed(s);
      return;
    }
    int64_t first = 0;
    while (first < b_.columns) {
      Strip s = at_column(whole, first);
      const int64_t left = std::min(kernels_.width, b_.columns - first);
      const int64_t full = left / kernels_.lanes * kernels_.lanes;
      const bool packs = copies() || full == 0;
      s.columns = packs ? left : full;
      if (packs) {
        s.b_row = (left + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes;
        auto* to = static_cast<float*>(scratch(static_cast<size_t>(s.b_row * b_.rows) * 4));
        pack_columns(b_, first, left, s.b_row, to);
        s.b = to;
      } else {
        s.b = b_.data + first;
        s.b_row = b_.row_step;
      }
      multiply_strip(kernels_, s, rows_);
      first += s.columns;
    }
  }

 private:
  // Few rows do not repay turning the right operand over.
  bool by_dots(const Strip& s) const {
    return b_.column_step != 1 && b_.row_step == 1 && rows_ < kTileRows && s.a_step == 1;
  }
  // Rows far apart share few sets of the cache: many uses repay a copy.
  bool copies() const {
    return b_.column_step != 1 || (rows_ >= 3 * kTileRows && b_.row_step >= 512) ||
           rows_ >= kRowBlock;
  }

  const MatrixView& b_;
  const TileKernels& kernels_;
  int64_t rows_;
};

}  // namespace

// Estimate: 100 multiply-accumulates or 100 bytes of the right operand per nanosecond.
bool worth_sharing(int64_t products, int64_t right) {
  constexpr int64_t kShortest = 12'000;  // ns
  return products / 100 + right / 25 > kShortest;
}

void multiply(const LeftMatrix& a, const PackedMatrix& b, const ProductEnd& end, float* out,
              int64_t out_row) {
  const TileKernels& kernels = tile_kernels();
  const Strip whole = strip_of(a, b.rows(), end, out, out_row);
  const int64_t panels = b.panels();
  if (!worth_sharing(a.rows * b.rows() * b.columns(), b.rows() * b.columns())) {
    for (int64_t p = 0; p < panels; ++p) {
      Strip s = whole;
      const int64_t first = b.place(p, s);
      s = at_column(s, first);
      multiply_strip(kernels, s, a.rows);
    }
    apply(end.function, out, out_row, a.rows, b.columns());
    return;
  }
  const int64_t blocks = (a.rows + kRowBlock - 1) / kRowBlock;
  for_each_index(panels * blocks, true, [&](int64_t task) {
    Strip s = whole;
    const int64_t first = b.place(task / blocks, s);
    s = at_column(s, first);
    const int64_t row = task % blocks * kRowBlock;
    take_rows(s, row, std::min(kRowBlock, a.rows - row));
    multiply_strip(kernels, s, a.rows);
    apply(end.function, s.out, out_row, s.rows, s.columns);
  });
}

void multiply_here(const LeftMatrix& a, const MatrixView& b, const ProductEnd& end, float* out,
                   int64_t out_row) {
  Direct(b, a.rows).run(strip_of(a, b.rows, end, out, out_row));
  apply(end.function, out, out_row, a.rows, b.columns);
}

void multiply(const LeftMatrix& a, const MatrixView& b, const Batch& batch, const ProductEnd& end,
              float* out, int64_t out_row) {
  int64_t matrices = 1;
  for (const BatchAxis& axis : batch.axes) matrices *= axis.extent;
  const int64_t work = matrices * a.rows * b.rows * b.columns;
  const bool shared = worth_sharing(work, matrices * b.rows * b.columns);
  // Blocks of rows or columns only where the matrices alone would not keep two threads busy.
  const bool few = shared && matrices < 8;
  const int64_t rows = few ? 2 * kRowBlock : a.rows;
  const int64_t columns = few && a.rows <= rows ? kColumnBlock : b.columns;
  const int64_t row_blocks = (a.rows + rows - 1) / rows;
  const int64_t column_blocks = (b.columns + columns - 1) / columns;
  const int64_t blocks = row_blocks * column_blocks;
  for_each_index(matrices * blocks, shared, [&](int64_t task) {
    int64_t index = task / blocks;
    Strip s = strip_of(a, b.rows, end, out, out_row);
    MatrixView right = b;
    for (size_t i = kBatchAxes; i-- > 0;) {
      const BatchAxis& axis = batch.axes[i];
      if (axis.extent == 1) continue;
      const int64_t at = index % axis.extent;
      index /= axis.extent;
      s.a += at * axis.a_step;
      right.data += at * axis.b_step;
      s.out += at * axis.out_step;
      if (s.start != nullptr) s.start += at * axis.out_step;
    }
    const int64_t row = task % row_blocks * rows;
    take_rows(s, row, std::min(rows, a.rows - row));
    const int64_t column = task % blocks / row_blocks * columns;
    right.data += column * right.column_step;
    right.columns = std::min(columns, b.columns - column);
    s = at_column(s, column);
    Direct(right, a.rows).run(s);
    apply(end.function, s.out, out_row, s.rows, right.columns);
  });
}

}  // namespace fettle::interp
