// Rules and kernels of movement operators, which movement_ops.cpp lists.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_center_crop_pad(InferContext& ctx);
void center_crop_pad(KernelContext& ctx);
void infer_compress(InferContext& ctx);
void compress(KernelContext& ctx);
void infer_concat(InferContext& ctx);
void concat(KernelContext& ctx);
void infer_expand(InferContext& ctx);
void expand(KernelContext& ctx);
void infer_pad(InferContext& ctx);
void pad(KernelContext& ctx);
void infer_reverse_sequence(InferContext& ctx);
void reverse_sequence(KernelContext& ctx);
void infer_slice(InferContext& ctx);
void slice(KernelContext& ctx);
void infer_split(InferContext& ctx);
void split(KernelContext& ctx);
void infer_tile(InferContext& ctx);
void tile(KernelContext& ctx);
void infer_transpose(InferContext& ctx);
void transpose(KernelContext& ctx);
void infer_trilu(InferContext& ctx);
void trilu(KernelContext& ctx);

}  // namespace fettle::ops
