// Inner loops of 8-bit matrix products and convolutions, one variant per instruction set, all exact
// and with the same results.
#pragma once

#include <cstdint>

#include "ir/data_type.h"

namespace fettle::interp {

inline constexpr int64_t kPanel = 16;  // columns of packed weights that lie together
inline constexpr int64_t kReadAfter = 32;

// What becomes of int32 accumulators. Arrays per column are readable up to the next multiple of
// kPanel.
struct ByteResult {
  enum class Kind { kBytes, kFloats, kSums };
  Kind kind = Kind::kBytes;
  const int32_t* bias = nullptr;         // per column, added first; modulo 2^32
  const float* multiplier = nullptr;     // per column; kBytes, kFloats
  const float* float_bias = nullptr;     // per column or null; kFloats
  const int32_t* column_zero = nullptr;  // per column or null: with row_term
  const int32_t* row_term = nullptr;     // per row; row_term[r] * column_zero[j] is added
  int32_t zero_point = 0;                // kBytes
  int32_t lowest = 0;                    // of the quantized type
  int32_t highest = 255;
};

// out[r][j] = result(sum over segments s and k < segment_bytes of
//             rows[r][offsets[s] + k] * packed[j][s][k]).
// Elements of rows are uint8, or int8 when `flip` is 0x80 (they count as value + 128: the caller
// corrects the bias for it). Packed weights: [panel][segment][ceil(segment_bytes / 4)][16][4] int8,
// zero where padded.
struct ByteBlock {
  const uint8_t* const* rows = nullptr;
  int64_t row_count = 0;
  const int64_t* offsets = nullptr;
  int64_t segments = 1;
  int64_t segment_bytes = 0;
  bool beyond = false;  // kReadAfter bytes after each segment are readable
  uint8_t flip = 0;
  const int8_t* packed = nullptr;  // the panel of column 0
  int64_t columns = 0;
  ByteResult result;
  void* out = nullptr;     // of row 0, column 0
  int64_t out_stride = 0;  // elements from row to row
};

// Bytes of one panel.
constexpr int64_t panel_bytes(int64_t segments, int64_t segment_bytes) {
  return segments * ((segment_bytes + 3) / 4) * 4 * kPanel;
}

// Depthwise kernels multiply and add several taps of an element of a row of outputs in one
// instruction. They lie together in a lane of four bytes: four as bytes or, where there is no such
// instruction for bytes, two as int16 (ByteKernels::taps).
inline constexpr int64_t kLane = 4;
inline constexpr int64_t kSpan = 64;  // elements that kernels may read or write together

// Lanes from pieces of rows of bytes: lane p * to_step + e of `to` holds element p * row_step + e
// of rows 0, 1 ..., for p < pieces and e < n. The room of kSpan lanes after the last one may be
// overwritten.
struct DepthwiseGather {
  const uint8_t* const* rows = nullptr;  // as many as a lane has taps
  int64_t n = 0;
  int64_t pieces = 1;
  int64_t row_step = 0;
  int64_t to_step = 0;  // not less than n
  bool beyond = false;  // kSpan bytes after the last element of each row are readable
  uint8_t flip = 0;     // for int8: 0x80, elements count as value + 128
  uint8_t* to = nullptr;
};

// Lanes of weights in a row; rows begin with a cache line.
constexpr int64_t depthwise_lanes(int64_t channels) {
  return (channels + kSpan + kPanel - 1) / kPanel * kPanel;
}

// Outputs of a depthwise convolution, `positions` of `channels` elements, of which `count` are
// computed:
// out[p][c] = result(sum over groups g of dot(lane p * step + c at taps + offsets[g], w[g][c])).
// kSpan lanes after the last one must be readable. Parameters per channel go on from the start
// after the last channel, kSpan more of them.
struct DepthwiseBlock {
  const uint8_t* taps = nullptr;
  const int64_t* offsets = nullptr;  // in bytes
  int64_t groups = 0;
  const uint8_t* w = nullptr;  // [groups][depthwise_lanes(channels)] lanes
  int64_t channels = 0;
  int64_t count = 0;
  int64_t positions = 0;
  int64_t step = 0;   // lanes from position to position
  ByteResult result;  // kBytes
  uint8_t* out = nullptr;
};

// Packs a row-major matrix [k][n] of bytes (of uint8 minus 128 when `flip` is 0x80, else int8) for
// one segment of k bytes, and sums its columns; `sums` has n elements up to a multiple of kPanel.
struct BytePacking {
  const uint8_t* from = nullptr;
  int64_t k = 0;
  int64_t n = 0;
  uint8_t flip = 0;
  int8_t* packed = nullptr;
  int32_t* sums = nullptr;
};

struct ByteKernels {
  void (*multiply)(const ByteBlock&) = nullptr;
  void (*pack)(const BytePacking&) = nullptr;
  // Sum of n bytes of uint8, or of int8 plus 128 when `flip` is 0x80.
  int32_t (*sum)(const uint8_t* x, int64_t n, uint8_t flip) = nullptr;
  void (*gather)(const DepthwiseGather&) = nullptr;
  void (*depthwise)(const DepthwiseBlock&) = nullptr;
  // y[i] = table[x[i]]; x and y may be the same.
  void (*map)(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) = nullptr;
  int64_t taps = 4;  // of a lane of depthwise kernels
  const char* name = "";
};

// The variant for this CPU, as far as oneDNN's limit on instruction sets (DNNL_MAX_CPU_ISA) allows.
const ByteKernels& byte_kernels();

// The variants.
extern const ByteKernels kByteKernelsPortable;
#if defined(__x86_64__)
extern const ByteKernels kByteKernelsAvx2;
extern const ByteKernels kByteKernelsAvxVnni;
extern const ByteKernels kByteKernelsAvx512Vnni;
#endif

}  // namespace fettle::interp
