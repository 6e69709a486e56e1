// LinearAttention: attention by a recurrent state instead of scores.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_linear_attention(InferContext& ctx);
void linear_attention(KernelContext& ctx);

}  // namespace fettle::ops
