// y = x * scale[c] + shift[c] over float tensors [N, C, ...] in plain or channel-blocked layout.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// `scale` and `shift` have C elements. Returns false for layouts that it does not know.
bool apply_channel_affine(Call& call, size_t operand, const std::vector<float>& scale,
                          const std::vector<float>& shift);

// BatchNormalization for inference with constant statistics; row of the table.
std::unique_ptr<AcceleratedKernel> accelerate_batch_normalization(const NodeFacts& facts);

}  // namespace fettle::interp
