// TensorScatter: the update of a key or value cache.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_tensor_scatter(InferContext& ctx);
// Moves elements of whole bytes; wrap in by_width<..., 0b11>.
void tensor_scatter(KernelContext& ctx);

}  // namespace fettle::ops
