// Col2Im: the sum of sliding blocks into an image, the transpose of im2col.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [N, C * block elements, blocks], image_shape [axes], block_shape [axes]; y [N, C, image].
void infer_col2im(InferContext& context);
void col2im(KernelContext& context);

}  // namespace fettle::ops
