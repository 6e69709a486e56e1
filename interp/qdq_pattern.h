// Recognition of the parts of QDQ patterns: operands that come from DequantizeLinear and results
// that only QuantizeLinear reads.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "interp/fusion.h"
#include "interp/qdq_loops.h"

namespace fettle::interp {

// A value that is DequantizeLinear of 8-bit data with one constant scale.
struct QuantizedOperand {
  const ir::Value* quantized = nullptr;
  float scale = 1.0f;
  ByteTarget bytes;
};
std::optional<QuantizedOperand> quantized_operand(const ir::Value* value, const FusionView& view);

// A constant that is DequantizeLinear of 8-bit data with one scale, or one per index of `axis`
// (counted from the back when negative).
struct QuantizedWeights {
  ir::Tensor values;
  std::vector<float> scale;   // one, or one per index
  std::vector<int32_t> zero;  // the same
  float scale_at(size_t i) const { return scale[scale.size() == 1 ? 0 : i]; }
};
std::optional<QuantizedWeights> quantized_weights(const ir::Value* value, int64_t axis,
                                                  const FusionView& view);

// The bias of a product whose column c has scale `scales[c]`, in accumulator steps: from a
// DequantizeLinear of int32 data with those scales, or from a float constant, rounded half to even.
// Nothing when it is neither, is not per column, or does not fit 32 bits. An absent bias is empty.
std::optional<std::vector<int32_t>> accumulator_bias(const ir::Value* value,
                                                     const std::vector<float>& scales,
                                                     const FusionView& view);

// What follows a value: [Relu or Clip without effect on the quantized result ->] QuantizeLinear
// with one constant scale, each the only reader.
struct QuantizedResult {
  std::vector<const ir::Node*> members;
  float scale = 1.0f;
  ByteTarget bytes;
};
std::optional<QuantizedResult> quantized_result(const ir::Value* value, const FusionView& view);

// Q(DQ(v)) for all 256 bytes v.
std::array<uint8_t, 256> requantization_table(const QuantizedOperand& x, const QuantizedResult& y);

}  // namespace fettle::interp
