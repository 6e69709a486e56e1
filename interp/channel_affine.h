// y = x * scale[c] + shift[c] over float tensors [N, C, ...] in any layout.
#pragma once

#include <vector>

#include "interp/accelerated.h"

namespace fettle::interp {

// Output 0 becomes the result for `operand`; `scale` and `shift` have C elements.
void apply_channel_affine(Call& call, size_t operand, const std::vector<float>& scale,
                          const std::vector<float>& shift);

// BatchNormalization for inference with constant statistics; row of the table.
std::unique_ptr<AcceleratedKernel> accelerate_batch_normalization(const NodeFacts& facts);

}  // namespace fettle::interp
