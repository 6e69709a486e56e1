// Rotary position embeddings: pairs of elements of each head turn by an angle that depends on the
// position of the token.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// ai.onnx: operands X, cos_cache, sin_cache, position_ids (optional).
void infer_rotary_embedding(InferContext& ctx);
void rotary_embedding(KernelContext& ctx);
// com.microsoft: operands input, position_ids, cos_cache, sin_cache.
void infer_contrib_rotary_embedding(InferContext& ctx);
void contrib_rotary_embedding(KernelContext& ctx);

}  // namespace fettle::ops
