// DeformConv: convolution whose taps are moved by learned offsets and weighted by a mask (Dai et
// al. 2017, Zhu et al. 2018), over any number of spatial axes.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [N, C, spatial], w [M, C/group, kernel], offset [N, offset_group * taps * axes, out], optional
// bias [M], optional mask [N, offset_group * taps, out]; y [N, M, out].
void infer_deform_conv(InferContext& context);
void deform_conv(KernelContext& context);
int64_t deform_conv_macs(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                         const std::vector<ir::Dims>& outputs);

}  // namespace fettle::ops
