// Clip in its two forms: bounds as attributes (1, 6) and as scalar inputs (11, 12, 13).
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Absent bounds are the lowest and highest finite float, as in version 6.
void clip_by_attributes(KernelContext& ctx);
// min(max, max(x, min)); absent bounds are the lowest and highest finite number of the type, so
// infinities become finite. NaN stays NaN.
void clip_by_inputs(KernelContext& ctx);
void infer_clip(InferContext& ctx);

}  // namespace fettle::ops
