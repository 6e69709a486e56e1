// TopK: k as attribute (1) or input (10), with the choice of smallest elements since 11.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_topk_by_attribute(InferContext& ctx);
void infer_topk_by_input(InferContext& ctx);
// Results are sorted whether or not `sorted` is set; equal elements keep their order of index. NaN
// counts as greater than every number.
void topk_by_attribute(KernelContext& ctx);
void topk_by_input(KernelContext& ctx);

}  // namespace fettle::ops
