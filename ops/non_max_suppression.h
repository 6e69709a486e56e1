// NonMaxSuppression: boxes per batch and class in order of falling score, without those that
// overlap a selected one.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// [number selected, 3] int64.
void infer_non_max_suppression(InferContext& ctx);
// Equal scores are taken in order of index, boxes with intersection over union above the threshold
// are dropped, all in float32 arithmetic, as in ONNX Runtime.
void non_max_suppression(KernelContext& ctx);

}  // namespace fettle::ops
