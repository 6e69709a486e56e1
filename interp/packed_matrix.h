// The right operand of a float32 matrix product in the order in which the kernels read it.
#pragma once

#include <memory>

#include "interp/tile_kernels.h"
#include "ir/buffer.h"

namespace fettle::interp {

// Element (k, j) is data[k * row_step + j * column_step].
struct MatrixView {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_step = 0;
  int64_t column_step = 1;
};

// Columns [first, first + columns) row by row, each row `stride` >= columns floats, padded with 0.
void pack_columns(const MatrixView& from, int64_t first, int64_t columns, int64_t stride,
                  float* to);

// Panels of columns, each stored as pack_columns() does.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // `panel`: columns of all panels but the last, at most the kernels' width and a multiple of their
  // lanes; 0 means their width. Pages of `source`, when given, leave memory once they are read.
  explicit PackedMatrix(const MatrixView& from, int64_t panel = 0,
                        const ir::Buffer* source = nullptr);

  bool empty() const { return storage_ == nullptr; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t panels() const { return (columns_ + panel_ - 1) / panel_; }
  // Sets the right operand and the columns of `strip` to panel `i`; returns its first column.
  int64_t place(int64_t i, Strip& strip) const;

 private:
  std::shared_ptr<ir::Buffer> storage_;
  const float* data_ = nullptr;
  int64_t rows_ = 0;
  int64_t columns_ = 0;
  int64_t panel_ = 1;
};

}  // namespace fettle::interp
