// Vectorized inner loops of quantized arithmetic. Same results as the functions of
// ops/requantize.h.
#pragma once

#include <cstdint>

#include "ir/data_type.h"
#include "ops/requantize.h"

namespace fettle::interp {

// Where quantized bytes go: uint8 or int8 elements with a zero point.
struct ByteTarget {
  ir::DataType type = ir::DataType::kUint8;
  int32_t zero_point = 0;
};

// to[i] = requantize_one(acc[i] + bias[i], multiplier[i]); `bias` may be null. One row of channels.
void requantize_row(const int32_t* acc, const int32_t* bias, const float* multiplier, int64_t n,
                    ByteTarget target, uint8_t* to);
// The same with one bias and multiplier for the whole row.
void requantize_channel(const int32_t* acc, int32_t bias, float multiplier, int64_t n,
                        ByteTarget target, uint8_t* to);
// to[i] = float(acc[i] + bias[i]) * multiplier[i]; `bias` may be null.
void scale_row(const int32_t* acc, const int32_t* bias, const float* multiplier, int64_t n,
               float* to);

// to[i] = quantize_one(x[i], scale).
void quantize_bytes(const float* x, float scale, int64_t n, ByteTarget target, uint8_t* to);
// to[i] = dequantize_one(x[i], scale).
void dequantize_bytes(const uint8_t* x, float scale, int64_t n, ByteTarget source, float* to);

// acc[j] += a * b[j]; accumulators wrap modulo 2^32 here and below.
void add_scaled_bytes(int32_t a, const int8_t* b, int64_t n, int32_t* acc);
// acc[j] += a * sums[j].
void add_scaled_columns(const int32_t* sums, int32_t a, int64_t n, int32_t* acc);

}  // namespace fettle::interp
