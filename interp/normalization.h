// Normalizations of float tensors by statistics of their own elements.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels: LayerNormalization; RMSNormalization and
// SimplifiedLayerNormalization; InstanceNormalization and GroupNormalization.
std::unique_ptr<AcceleratedKernel> accelerate_layer_normalization(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_rms_normalization(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_group_normalization(const NodeFacts& facts);

}  // namespace fettle::interp
