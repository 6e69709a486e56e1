// Inner loops of 8-bit matrix products and convolutions, one variant per instruction set, all exact
// and with the same results.
#pragma once

#include <cstdint>

#include "ir/data_type.h"

namespace fettle::interp {

inline constexpr int64_t kPanel = 16;  // columns of packed weights that lie together

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
  bool beyond = false;  // three bytes after each segment are readable
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

inline constexpr int64_t kSpan = 64;  // channels that depthwise kernels compute together

// Within every span, depthwise kernels keep the parameters of channel 16 l + 4 r + i at
// 16 r + 4 l + i.
constexpr int64_t depthwise_place(int64_t channel) {
  return channel / kSpan * kSpan + channel % 16 / 4 * 16 + channel % kSpan / 16 * 4 + channel % 4;
}

// One row of outputs of a depthwise convolution in channels-last layout, channels [0, channels):
// out[i][c] = result(sum over t of x[i * step + offsets[t] + c] * w[t][c]). Elements of x are
// uint8, or int8 when `flip` is 0x80 (they count as value + 128: the caller corrects the bias for
// it). kSpan bytes from every such place must be readable.
struct DepthwiseRow {
  const uint8_t* x = nullptr;
  uint8_t flip = 0;
  int64_t step = 0;  // bytes from output to output
  // Outputs lie side by side as their inputs do (step is `channels`) and are computed as one row of
  // count * channels elements; parameters are repeated until they fill whole spans.
  bool joined = false;
  const int64_t* offsets = nullptr;  // a multiple of four
  int64_t quads = 0;                 // of taps
  const int8_t* w = nullptr;         // [spans][quads][places][4]
  int64_t spans = 0;                 // of parameters
  int64_t channels = 0;
  ByteResult result;  // kBytes; parameters by place
  uint8_t* out = nullptr;
  int64_t count = 0;  // outputs, each `channels` apart
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
  void (*depthwise)(const DepthwiseRow&) = nullptr;
  // y[i] = table[x[i]]; x and y may be the same.
  void (*map)(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) = nullptr;
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
