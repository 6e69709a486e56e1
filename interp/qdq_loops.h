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

// to[i] = requantize_one(acc[i] + bias, multiplier).
void requantize_channel(const int32_t* acc, int32_t bias, float multiplier, int64_t n,
                        ByteTarget target, uint8_t* to);

// to[i] = quantize_one(x[i], scale).
void quantize_bytes(const float* x, float scale, int64_t n, ByteTarget target, uint8_t* to);
// to[i] = dequantize_one(x[i], scale).
void dequantize_bytes(const uint8_t* x, float scale, int64_t n, ByteTarget source, float* to);

}  // namespace fettle::interp
