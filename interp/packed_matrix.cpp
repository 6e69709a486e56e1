#include "interp/packed_matrix.h"

#include <algorithm>
#include <cstring>

namespace fettle::interp {
namespace {

constexpr int64_t kLargeBytes = 1 << 20;     // from here on on pages of its own
constexpr int64_t kReleaseBytes = 16 << 20;  // pages of the source leave after as many are read

using Four [[gnu::vector_size(16)]] = float;
using Order [[gnu::vector_size(16)]] = int32_t;

Four load_four(const float* p) {
  Four v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
void store_four(float* p, Four v) {
  std::memcpy(p, &v, sizeof(v));
}

// to[i * stride + j] = from[j * step + i] for i, j < 4.
void turn_four(const float* from, int64_t step, float* to, int64_t stride) {
  const Four a = load_four(from);
  const Four b = load_four(from + step);
  const Four c = load_four(from + 2 * step);
  const Four d = load_four(from + 3 * step);
  const Four ab_low = __builtin_shuffle(a, b, Order{0, 4, 1, 5});
  const Four ab_high = __builtin_shuffle(a, b, Order{2, 6, 3, 7});
  const Four cd_low = __builtin_shuffle(c, d, Order{0, 4, 1, 5});
  const Four cd_high = __builtin_shuffle(c, d, Order{2, 6, 3, 7});
  store_four(to, __builtin_shuffle(ab_low, cd_low, Order{0, 1, 4, 5}));
  store_four(to + stride, __builtin_shuffle(ab_low, cd_low, Order{2, 3, 6, 7}));
  store_four(to + 2 * stride, __builtin_shuffle(ab_high, cd_high, Order{0, 1, 4, 5}));
  store_four(to + 3 * stride, __builtin_shuffle(ab_high, cd_high, Order{2, 3, 6, 7}));
}

int64_t rounded(int64_t columns) {
  const int64_t lanes = tile_kernels().lanes;
  return (columns + lanes - 1) / lanes * lanes;
}

}  // namespace

void pack_columns(const MatrixView& from, int64_t first, int64_t columns, int64_t stride,
                  float* to) {
  const float* data = from.data + first * from.column_step;
  if (from.column_step == 1) {
    for (int64_t k = 0; k < from.rows; ++k) {
      float* row = std::copy_n(data + k * from.row_step, columns, to + k * stride);
      std::fill_n(row, stride - columns, 0.0f);
    }
    return;
  }
  const int64_t fours = from.row_step == 1 ? columns / 4 * 4 : 0;
  const int64_t rows = from.rows / 4 * 4;
  for (int64_t j = 0; j < fours; j += 4) {
    const float* column = data + j * from.column_step;
    for (int64_t k = 0; k < rows; k += 4) {
      turn_four(column + k, from.column_step, to + k * stride + j, stride);
    }
  }
  for (int64_t k = 0; k < from.rows; ++k) {
    for (int64_t j = k < rows ? fours : 0; j < columns; ++j) {
      to[k * stride + j] = data[k * from.row_step + j * from.column_step];
    }
    std::fill_n(to + k * stride + columns, stride - columns, 0.0f);
  }
}

PackedMatrix::PackedMatrix(const MatrixView& from, int64_t panel, const ir::Buffer* source)
    : rows_(from.rows), columns_(from.columns), panel_(panel > 0 ? panel : tile_kernels().width) {
  const int64_t last = (panels() - 1) * panel_;
  const int64_t floats = rows_ * (last + rounded(columns_ - last));
  const auto bytes = static_cast<size_t>(floats) * sizeof(float);
  storage_ =
      floats * 4 < kLargeBytes ? ir::Buffer::allocate(bytes) : ir::Buffer::allocate_pages(bytes);
  auto* to = reinterpret_cast<float*>(storage_->mutable_data());
  data_ = to;
  // Rows in blocks where they are contiguous, so that the source is read from front to back.
  const int64_t block =
      from.column_step == 1 ? std::max<int64_t>(1, kReleaseBytes / 4 / columns_) : rows_;
  int64_t read = 0;
  for (int64_t k = 0; k < rows_; k += block) {
    MatrixView part = from;
    part.data += k * from.row_step;
    part.rows = std::min(block, rows_ - k);
    for (int64_t j = 0; j < columns_; j += panel_) {
      const int64_t columns = std::min(panel_, columns_ - j);
      const int64_t stride = columns == panel_ ? panel_ : rounded(columns);
      pack_columns(part, j, columns, stride, to + j * rows_ + k * stride);
      read += part.rows * columns * 4;
      if (source != nullptr && read >= kReleaseBytes) {
        source->release_pages();
        read = 0;
      }
    }
  }
  if (source != nullptr) source->release_pages();
}

int64_t PackedMatrix::place(int64_t i, Strip& strip) const {
  const int64_t first = i * panel_;
  strip.columns = std::min(panel_, columns_ - first);
  strip.b = data_ + first * rows_;
  strip.b_row = strip.columns == panel_ ? panel_ : rounded(strip.columns);
  return first;
}

}  // namespace fettle::interp
