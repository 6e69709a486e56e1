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

// Y = (A - a_zero)(B - b_zero) * (a_scale * b_scale) + bias in float32.
void infer_matmul_integer_to_float(InferContext& context);
void matmul_integer_to_float(KernelContext& context);
// The same with A quantized as DynamicQuantizeLinear does.
void dynamic_quantize_matmul(KernelContext& context);

}  // namespace fettle::ops
