// Normalizations of com.microsoft that take sums of several operands, in float32.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels: SkipLayerNormalization and
// SkipSimplifiedLayerNormalization. None where mean or deviation are outputs.
std::unique_ptr<AcceleratedKernel> accelerate_skip_normalization(const NodeFacts& facts);
// Row of the table: EmbedLayerNormalization.
std::unique_ptr<AcceleratedKernel> accelerate_embed_normalization(const NodeFacts& facts);

}  // namespace fettle::interp
