// Operands of integer matrix products and convolutions: 8-bit values with their zero points and
// scales, checked.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ir/tensor.h"
#include "ops/correlation.h"

namespace fettle::ops {

// One zero point for a whole tensor, or one per channel.
using ZeroPoints = std::vector<int32_t>;

// The zero points of an operand of type `type` (uint8 or int8, else kBadInput); {0} when `tensor`
// is null. Throws kBadInput unless there is one element or, in a vector, `channels` of them.
ZeroPoints zero_points(const ir::Tensor* tensor, ir::DataType type, int64_t channels,
                       std::string_view name);
// The scales, as float32, of the same form; the type may be any floating type.
std::vector<float> scales(const ir::Tensor& tensor, int64_t channels, std::string_view name);

// Elements minus their zero point. Element i belongs to channel i / channel_size, of which there is
// one per zero point when there are several.
LoadOperand shifted_loader(const ir::Tensor& tensor, const ZeroPoints& zero_points,
                           int64_t channel_size);

// The low 32 bits of an exact integer sum, as an int32 accumulator holds them.
inline int32_t wrapped_int32(double exact) {
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(exact)));
}

}  // namespace fettle::ops
