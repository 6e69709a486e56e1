// CausalConvWithState: depthwise convolution over present and past positions.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_causal_convolution(InferContext& ctx);
void causal_convolution(KernelContext& ctx);

}  // namespace fettle::ops
