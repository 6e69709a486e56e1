// Normalizations with parameters per channel (axis 1): statistics given (BatchNormalization), or
// taken per instance and channel or group of channels.
#pragma once

#include <vector>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Elements of a floating tensor as double. `what` names it in the error (kBadInput) when its
// shape is not `dims`.
std::vector<double> parameters(const ir::Tensor& tensor, const ir::Dims& dims,
                               std::string_view what);
// Attribute epsilon; throws kBadInput when negative.
double epsilon_of(const ir::Node& node);

// Y like X; running statistics like the given ones. Checks the extents of the parameters.
void infer_batch_normalization(InferContext& ctx);
// Y like X; operands 1 and 2 are [C].
void infer_channel_normalization(InferContext& ctx);

// Y = (X - mean) / sqrt(var + epsilon) * scale + B. Before version 14 only as in inference: further
// outputs throw kUnsupported. Since 14, training_mode takes batch statistics and updates the
// running ones.
void batch_normalization_1(KernelContext& ctx);
void batch_normalization_9(KernelContext& ctx);
void batch_normalization_14(KernelContext& ctx);

void instance_normalization(KernelContext& ctx);
// Version 18 has scale and bias per group, version 21 per channel.
void group_normalization_18(KernelContext& ctx);
void group_normalization_21(KernelContext& ctx);

}  // namespace fettle::ops
