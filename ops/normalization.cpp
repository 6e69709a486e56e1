// The table of normalizations; their kernels are grouped by how statistics are taken.
#include "ops/batch_normalization.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/layer_normalization.h"
#include "ops/local_normalization.h"

namespace fettle::ops {
namespace {

constexpr OpDef kRows[] = {
    // Before 9 the attribute `spatial` may give every activation its own parameters.
    {"", "BatchNormalization", 1, infer_batch_normalization, batch_normalization_1},
    {"", "BatchNormalization", 9, infer_batch_normalization, batch_normalization_9},
    {"", "BatchNormalization", 14, infer_batch_normalization, batch_normalization_14},
    {"", "InstanceNormalization", 1, infer_channel_normalization, instance_normalization},
    {"", "GroupNormalization", 18, infer_like_input, group_normalization_18},
    {"", "GroupNormalization", 21, infer_channel_normalization, group_normalization_21},
    {"", "LayerNormalization", 17, infer_layer_normalization, layer_normalization},
    {"", "RMSNormalization", 23, infer_rms_normalization, rms_normalization},
    // Not in the standard, but in the default domain: ONNX Runtime's name for RMSNormalization.
    {"", "SimplifiedLayerNormalization", 1, infer_rms_normalization, rms_normalization},
    {"", "LRN", 1, infer_like_input, local_response_normalization},
    {"", "LpNormalization", 1, infer_like_input, lp_normalization},
    {"", "MeanVarianceNormalization", 9, infer_like_input, mean_variance_normalization},
};

}  // namespace

std::span<const OpDef> normalization_ops() {
  return kRows;
}

}  // namespace fettle::ops
