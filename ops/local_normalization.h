// Normalizations without parameters: LRN, LpNormalization, MeanVarianceNormalization.
#pragma once

#include "ops/kernel_context.h"

namespace fettle::ops {

// X / (bias + alpha / size * sum of squares over `size` neighboring channels) ^ beta.
void local_response_normalization(KernelContext& ctx);
// X / norm along one axis, p 1 or 2; 0 where the norm is 0.
void lp_normalization(KernelContext& ctx);
// (X - mean) / (standard deviation + 1e-9) over `axes`, as in the function body of ONNX.
void mean_variance_normalization(KernelContext& ctx);

}  // namespace fettle::ops
