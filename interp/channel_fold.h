// Chains of nodes that scale and shift channels, as one pair of vectors.
#pragma once

#include <vector>

#include "interp/fusion.h"

namespace fettle::interp {

// y = x * scale[c] + shift[c]; both empty for the identity.
struct ChannelFold {
  std::vector<float> scale;
  std::vector<float> shift;
};

// The chain BatchNormalization, Mul, Div, Add, Sub (constants: scalars or one number per channel)
// that alone reads `value`, a tensor [N, channels, ...] of `rank` axes. Appends its nodes to
// `members`.
ChannelFold fold_channels(const ir::Value* value, int64_t channels, size_t rank,
                          const FusionView& view, std::vector<const ir::Node*>& members);

// Weights of a convolution with the output channels scaled: [M, C/g, ...], transposed [C, M/g,
// ...].
ir::Tensor scaled_weights(const ir::Tensor& weights, int64_t group, bool transposed,
                          const std::vector<float>& scale);

}  // namespace fettle::interp
