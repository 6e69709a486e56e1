// Normalizations over the last axes: LayerNormalization and RMSNormalization.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_layer_normalization(InferContext& ctx);
// Y has the element type of the scale. A second output, which SimplifiedLayerNormalization of ONNX
// Runtime has, is InvStdDev.
void infer_rms_normalization(InferContext& ctx);

// Computed in double and rounded once; Mean and InvStdDev have the type that stash_type names.
void layer_normalization(KernelContext& ctx);
void rms_normalization(KernelContext& ctx);

}  // namespace fettle::ops
