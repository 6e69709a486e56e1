// ConvTranspose in float32 as matrix products per row of the input, for one or two spatial axes.
#pragma once

#include <limits>

#include "interp/accelerated.h"
#include "interp/channel_fold.h"
#include "interp/float_functions.h"

namespace fettle::interp {

struct TransposedConvolutionOptions {
  ChannelFold fold;       // of the output channels; weights and bias must then be constant
  bool residual = false;  // operand 3 (same shape as the output) is added to the sums
  // y = function(clamp(sum, low, high)). With these or a residual, operands of three spatial axes
  // are declined.
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  UnaryFunction function;  // loop null: none

  bool plain_end() const {
    return !residual && function.loop == nullptr &&
           low == -std::numeric_limits<float>::infinity() &&
           high == std::numeric_limits<float>::infinity();
  }
};

// Operands: x [N, C, spatial...], w [C, M/group, kernel...], optional bias [M], optional residual.
std::unique_ptr<AcceleratedKernel> make_transposed_convolution(
    const ir::Node& node, TransposedConvolutionOptions options);

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_conv_transpose(const NodeFacts& facts);

}  // namespace fettle::interp
