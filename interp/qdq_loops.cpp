#include "interp/qdq_loops.h"

#include "interp/simd.h"

namespace fettle::interp {

// Each loop is written for bytes of either sign: signed results are stored as their low 8 bits.

namespace {

// Sum modulo 2^32.
inline int32_t wrapping_add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

}  // namespace

FETTLE_VECTORIZED
void requantize_channel(const int32_t* __restrict acc, int32_t bias, float multiplier, int64_t n,
                        ByteTarget target, uint8_t* __restrict to) {
  const ops::QuantRange range = ops::quant_range(target.type);
  const int32_t zero = target.zero_point;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    to[i] = static_cast<uint8_t>(
        ops::requantize_one(wrapping_add(acc[i], bias), multiplier, zero, range));
  }
}

FETTLE_VECTORIZED
void quantize_bytes(const float* __restrict x, float scale, int64_t n, ByteTarget target,
                    uint8_t* __restrict to) {
  const ops::QuantRange range = ops::quant_range(target.type);
  const int32_t zero = target.zero_point;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    to[i] = static_cast<uint8_t>(ops::quantize_one(x[i], scale, zero, range));
  }
}

FETTLE_VECTORIZED
void dequantize_bytes(const uint8_t* __restrict x, float scale, int64_t n, ByteTarget source,
                      float* __restrict to) {
  const int32_t zero = source.zero_point;
  if (source.type == ir::DataType::kInt8) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      to[i] = ops::dequantize_one(static_cast<int8_t>(x[i]), scale, zero);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] = ops::dequantize_one(x[i], scale, zero);
  }
}

}  // namespace fettle::interp
