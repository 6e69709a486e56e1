// Operands of integer matrix products and convolutions: 8-bit values with their zero points and
// scales, checked.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ir/tensor.h"
#include "ops/correlation.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// One zero point for a whole tensor, or one per channel.
using ZeroPoints = std::vector<int32_t>;

// The zero points of an operand of type `type` (uint8 or int8, else kBadInput); {0} when `tensor`
// is null. Throws kBadInput unless there is one element or, in a vector, `channels` of them.
ZeroPoints zero_points(const ir::Tensor* tensor, ir::DataType type, int64_t channels,
                       std::string_view name);
// The scales, as float32, of the same form; the type may be any floating type.
std::vector<float> scales(const ir::Tensor& tensor, int64_t channels, std::string_view name);

// Parameters of a tensor quantized as a whole.
struct TensorQuantization {
  float scale = 1.0f;
  int32_t zero_point = 0;
};
// Operands `scale` and, possibly omitted, `scale` + 1: the parameters of a tensor of `type`, one
// element each. Throws kBadInput for anything else.
TensorQuantization tensor_quantization(const KernelContext& context, size_t scale,
                                       ir::DataType type);

// Elements minus their zero point. Element i belongs to channel i / channel_size, of which there is
// one per zero point when there are several.
LoadOperand shifted_loader(const ir::Tensor& tensor, const ZeroPoints& zero_points,
                           int64_t channel_size);

// Which lines of a matrix product's operand have parameters of their own: rows of the left operand,
// columns of the right one.
enum class MatrixLines { kRows, kColumns };

// The zero points of the operand `matrix` [batch..., rows, columns] of uint8 or int8; {0} when
// `tensor` is null. Throws kBadInput unless there is one element, a vector of one per line, or one
// per line of every matrix (the operand's shape with 1 for the other axis). Line l of matrix i has
// number (i * lines + l) modulo their count.
ZeroPoints line_zero_points(const ir::Tensor* tensor, const ir::Tensor& matrix, MatrixLines lines,
                            std::string_view name);
// The scales of an operand or result of shape `matrix`, in the same form.
std::vector<float> line_scales(const ir::Tensor& tensor, const ir::Dims& matrix, MatrixLines lines,
                               std::string_view name);

// Elements of [batch..., rows, columns] minus the zero point of their row or column.
LoadOperand row_shifted_loader(const ir::Tensor& matrix, const ZeroPoints& zero_points,
                               int64_t columns);
LoadOperand column_shifted_loader(const ir::Tensor& matrix, const ZeroPoints& zero_points,
                                  int64_t rows, int64_t columns);

// The low 32 bits of an exact integer sum, as an int32 accumulator holds them.
inline int32_t wrapped_int32(double exact) {
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(exact)));
}

}  // namespace fettle::ops
