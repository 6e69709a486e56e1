// RoiAlign: pooling of regions of interest by bilinear sampling (He et al. 2017).
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [N, C, H, W], rois [R, 4] as (x1, y1, x2, y2), batch_indices [R]; y [R, C, output_height,
// output_width].
void infer_roi_align(InferContext& context);
// Coordinates as they are (opset 10).
void roi_align_10(KernelContext& context);
// Coordinates by attribute coordinate_transformation_mode, half_pixel when absent (opset 16).
void roi_align_16(KernelContext& context);

}  // namespace fettle::ops
