// Normalizations of com.microsoft that take sums of several operands, and
// SimplifiedLayerNormalization.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Operands input, skip, gamma, beta and bias; the simplified one has no beta and keeps the mean.
void infer_skip_layer_normalization(InferContext& ctx);
void skip_layer_normalization(KernelContext& ctx);
void skip_simplified_layer_normalization(KernelContext& ctx);

void infer_embed_layer_normalization(InferContext& ctx);
void embed_layer_normalization(KernelContext& ctx);

}  // namespace fettle::ops
