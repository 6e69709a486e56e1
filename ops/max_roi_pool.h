// MaxRoiPool: maxima over the bins of regions of interest (Girshick 2015).
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [N, C, H, W], rois [R, 5] as (sample, x1, y1, x2, y2); y [R, C, pooled_shape].
void infer_max_roi_pool(InferContext& context);
void max_roi_pool(KernelContext& context);

}  // namespace fettle::ops
