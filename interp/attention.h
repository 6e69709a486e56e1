// The attention operators of ai.onnx and com.microsoft in float32.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Rows of the table of accelerated kernels. None where the scores are an output.
std::unique_ptr<AcceleratedKernel> accelerate_attention(const NodeFacts& facts);
// Of com.microsoft: MultiHeadAttention and Attention.
std::unique_ptr<AcceleratedKernel> accelerate_multi_head_attention(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_packed_attention(const NodeFacts& facts);

}  // namespace fettle::interp
