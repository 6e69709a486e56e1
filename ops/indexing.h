// Rules and kernels of indexing operators, which indexing_ops.cpp lists.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Elements of an index tensor, those below zero counted from the end. Throws kBadInput where one
// lies outside [-extent, extent) and for tensors that are neither int32 nor int64.
std::vector<int64_t> checked_indices(const ir::Tensor& indices, int64_t extent);

void infer_gather(InferContext& ctx);
void gather(KernelContext& ctx);
void infer_gather_elements(InferContext& ctx);
void gather_elements(KernelContext& ctx);
void infer_gather_nd(InferContext& ctx);
void gather_nd(KernelContext& ctx);
// Scatter and ScatterElements.
void scatter_elements(KernelContext& ctx);
void scatter_nd(KernelContext& ctx);
void infer_unique(InferContext& ctx);
void unique(KernelContext& ctx);

}  // namespace fettle::ops
