// GridSample: interpolation at positions that a second operand names, over any number of axes.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [N, C, spatial...], grid [N, out..., spatial rank] with coordinates in [-1, 1], last axis of x
// first; y [N, C, out...].
void infer_grid_sample(InferContext& context);
void grid_sample(KernelContext& context);

}  // namespace fettle::ops
