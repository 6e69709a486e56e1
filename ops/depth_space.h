// Movement between channels and blocks of pixels: DepthToSpace and SpaceToDepth.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [N, C, H, W] to [N, C / b^2, H b, W b]; channel order by mode DCR (depth, column, row) or CRD.
void infer_depth_to_space(InferContext& context);
void depth_to_space(KernelContext& context);
// x [N, C, H, W] to [N, C b^2, H / b, W / b], the inverse of DCR.
void infer_space_to_depth(InferContext& context);
void space_to_depth(KernelContext& context);

}  // namespace fettle::ops
