// Quantized operators of ONNX Runtime's domain com.microsoft.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// C = (A + B) or (A * B) of two quantized tensors, broadcast, requantized to C's scale.
void infer_qlinear_elementwise(InferContext& context);
void qlinear_add(KernelContext& context);
void qlinear_mul(KernelContext& context);

// Y = alpha A' B' + C with int32 C in steps of alpha * a_scale * b_scale; float32 without y_scale.
void infer_qgemm(InferContext& context);
void qgemm(KernelContext& context);

// Y = (A - a_zero)(B - b_zero) * (a_scale * b_scale) + bias, computed in float32; Y has the type of
// a_scale.
void infer_matmul_integer_to_float(InferContext& context);
void matmul_integer_to_float(KernelContext& context);
// The same in float32 with A quantized as DynamicQuantizeLinear does.
void infer_dynamic_quantize_matmul(InferContext& context);
void dynamic_quantize_matmul(KernelContext& context);

// Y = quantized f(X), element by element.
void infer_qlinear_same(InferContext& context);
void qlinear_sigmoid(KernelContext& context);
void qlinear_leaky_relu(KernelContext& context);
// Y has the type and shape of X too.
void qlinear_softmax(KernelContext& context);

// Operands requantized to the parameters of the output, then joined or chosen from.
void infer_qlinear_concat(InferContext& context);
void qlinear_concat(KernelContext& context);
void infer_qlinear_where(InferContext& context);
void qlinear_where(KernelContext& context);

// Pools over [N, C, spatial...] or, with channels_last, [N, spatial..., C].
void infer_qlinear_average_pool(InferContext& context);
void qlinear_average_pool(KernelContext& context);
void infer_qlinear_global_average_pool(InferContext& context);
void qlinear_global_average_pool(KernelContext& context);

// Y = A B^T + bias with a block-quantized weight B [N, K].
void infer_matmul_nbits(InferContext& context);
void matmul_nbits(KernelContext& context);
// Gather from a block-quantized tensor, as numbers.
void infer_gather_block_quantized(InferContext& context);
void gather_block_quantized(KernelContext& context);

void infer_dynamic_quantize_lstm(InferContext& context);
void dynamic_quantize_lstm(KernelContext& context);
int64_t dynamic_quantize_lstm_macs(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                                   const std::vector<ir::Dims>& outputs);

}  // namespace fettle::ops
