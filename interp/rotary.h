// RotaryEmbedding of ai.onnx and com.microsoft in float32.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_rotary(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_contrib_rotary(const NodeFacts& facts);

}  // namespace fettle::interp
