// Max, Min, Sum and Mean of one or more operands, broadcast together. Versions before 8 demand
// equal shapes, which is the same for valid models.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_variadic_max(InferContext& ctx);
void infer_variadic_min(InferContext& ctx);
void infer_variadic_sum(InferContext& ctx);

// NaN in any operand gives NaN.
void variadic_max(KernelContext& ctx);
void variadic_min(KernelContext& ctx);
// Accumulate in double.
void variadic_sum(KernelContext& ctx);
void variadic_mean(KernelContext& ctx);

}  // namespace fettle::ops
