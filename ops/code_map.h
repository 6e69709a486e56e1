// What each 8-bit code of a quantized tensor becomes under a function of the number it stands for.
#pragma once

#include <array>
#include <cstdint>

#include "ops/quantized_operands.h"
#include "ops/requantize.h"

namespace fettle::ops {

// Indexed by the code's byte; holds the byte of the result.
using CodeMap = std::array<uint8_t, 256>;

// Quantizes f(scale * (code - zero_point)) for every code of `type` (uint8 or int8).
template <typename F>
CodeMap code_map(ir::DataType type, const TensorQuantization& from, const TensorQuantization& to,
                 F f) {
  const QuantRange range = quant_range(type);
  CodeMap map{};
  for (int32_t code = range.lowest; code <= range.highest; ++code) {
    const float value = dequantize_one(code, from.scale, from.zero_point);
    map[static_cast<uint8_t>(code)] =
        static_cast<uint8_t>(quantize_one(f(value), to.scale, to.zero_point, range));
  }
  return map;
}

// The map that changes the parameters alone. Equal ones keep every code.
CodeMap requantizing_map(ir::DataType type, const TensorQuantization& from,
                         const TensorQuantization& to);

// `codes` (8 bits) with every element mapped; type and shape stay.
ir::Tensor mapped(const ir::Tensor& codes, const CodeMap& map);

}  // namespace fettle::ops
