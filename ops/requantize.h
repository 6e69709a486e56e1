// The arithmetic of linear quantization, one element at a time. Kernels, accelerated kernels and
// rewrites share these functions so that they agree bit for bit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "ir/data_type.h"

namespace fettle::ops {

// Representable integers of a quantized type, at most 16 bits wide.
struct QuantRange {
  int32_t lowest = 0;
  int32_t highest = 0;
};

constexpr bool is_quantized_integer(ir::DataType type) {
  using enum ir::DataType;
  return type == kUint8 || type == kInt8 || type == kUint16 || type == kInt16 || type == kUint4 ||
         type == kInt4 || type == kUint2 || type == kInt2;
}

// Requires is_quantized_integer(type).
inline QuantRange quant_range(ir::DataType type) {
  const int bits = ir::data_type_bits(type);
  if (ir::is_signed_integer(type)) return {-(1 << (bits - 1)), (1 << (bits - 1)) - 1};
  return {0, (1 << bits) - 1};
}

// Nearest integer, ties to even, of |value| < 2^22 (adding 1.5 * 2^23 leaves no fraction bits).
inline int32_t round_half_even_small(float value) {
  constexpr float kShift = 12582912.0f;
  return static_cast<int32_t>((value + kShift) - kShift);
}

// saturate(round_half_even(value) + zero_point); NaN gives the lowest value, as in ONNX Runtime on
// x86. `zero_point` lies within `range`.
inline int32_t round_and_saturate(float value, int32_t zero_point, QuantRange range) {
  const float lowest = static_cast<float>(range.lowest - zero_point);
  const float highest = static_cast<float>(range.highest - zero_point);
  const float above = value > lowest ? value : lowest;
  return round_half_even_small(above < highest ? above : highest) + zero_point;
}

// One element of QuantizeLinear; the division is in float32.
inline int32_t quantize_one(float value, float scale, int32_t zero_point, QuantRange range) {
  return round_and_saturate(value / scale, zero_point, range);
}

// One element of DequantizeLinear from at most 16 bits.
inline float dequantize_one(int32_t value, float scale, int32_t zero_point) {
  return static_cast<float>(value - zero_point) * scale;
}

// Factor from an accumulator of products to the output's steps, in ONNX Runtime's order of
// operations: (x_scale * w_scale) / y_scale in float32.
inline float requantize_multiplier(float x_scale, float w_scale, float y_scale) {
  return (x_scale * w_scale) / y_scale;
}

// An int32 accumulator as an output element: saturate(round_half_even(acc * multiplier) + zp).
inline int32_t requantize_one(int32_t accumulator, float multiplier, int32_t zero_point,
                              QuantRange range) {
  return round_and_saturate(static_cast<float>(accumulator) * multiplier, zero_point, range);
}

// DynamicQuantizeLinear's parameters for values in [minimum, maximum]: the range is widened to hold
// zero and mapped to 0..255. A range of zero width gives scale 1, as in ONNX Runtime.
struct DynamicQuantization {
  float scale = 1.0f;
  uint8_t zero_point = 0;
};

inline DynamicQuantization dynamic_quantization(float minimum, float maximum) {
  const float low = minimum < 0.0f ? minimum : 0.0f;
  const float high = maximum > 0.0f ? maximum : 0.0f;
  DynamicQuantization q;
  q.scale = high > low ? (high - low) / 255.0f : 1.0f;
  q.zero_point = static_cast<uint8_t>(round_and_saturate(0.0f - low / q.scale, 0, {0, 255}));
  return q;
}

// The same for these values; NaN is passed over.
inline DynamicQuantization dynamic_quantization(std::span<const float> values) {
  float lowest = 0.0f;
  float highest = 0.0f;
  for (const float v : values) {
    if (v < lowest) lowest = v;
    if (v > highest) highest = v;
  }
  return dynamic_quantization(lowest, highest);
}

}  // namespace fettle::ops
