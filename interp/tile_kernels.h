// Register-blocked kernels of float32 matrix products, in versions for several instruction sets.
#pragma once

#include <cstdint>
#include <limits>

namespace fettle::interp {

// One strip of a product, r < rows and j < columns:
//   out[r, j] = min(high, max(low, start[r, j] + bias[j] + scale * sum_k a[r, k] * b[k, j]))
// NaN stays NaN. Every element is summed in the same order whatever strip it is in, as long as
// strips start at multiples of kTileRows.
struct Strip {
  const float* a = nullptr;  // a[r * a_row + k * a_step]
  int64_t a_row = 0;
  int64_t a_step = 1;
  // b[k * b_row + j]. Rows are read up to the next multiple of the kernels' lanes.
  const float* b = nullptr;
  int64_t b_row = 0;
  int64_t depth = 0;             // k < depth
  const float* start = nullptr;  // may be `out`, may be null
  int64_t start_row = 0;
  const float* bias = nullptr;  // may be null
  float scale = 1.0f;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  float* out = nullptr;  // out[r * out_row + j]
  int64_t out_row = 0;
  int64_t rows = 0;
  int64_t columns = 0;  // at most TileKernels::width
};

inline constexpr int64_t kTileRows = 6;

struct TileKernels {
  int64_t lanes;  // floats of a vector
  int64_t width;  // most columns of a strip, a multiple of `lanes`
  void (*multiply)(const Strip& strip);
  // The same for transposed b: b[j * b_row + k], any number of columns; a_step is 1. Nothing is
  // read beyond the operands.
  void (*multiply_transposed)(const Strip& strip);
};

// The version for this CPU.
const TileKernels& tile_kernels();
// All versions that this CPU runs, the fastest first.
inline constexpr int kTileVersions = 3;
const TileKernels* tile_kernels(int version);  // null beyond the last

// The versions; callable only where the CPU has the instructions. Null when not compiled.
const TileKernels* avx512_tile_kernels();
const TileKernels* avx2_tile_kernels();
const TileKernels* portable_tile_kernels();

}  // namespace fettle::interp
