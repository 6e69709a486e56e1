// Conv and ConvTranspose in float32 through oneDNN.
#pragma once

#include "interp/accelerated.h"
#include "interp/channel_fold.h"
#include "interp/post_ops.h"

namespace fettle::interp {

struct ConvolutionOptions {
  bool transposed = false;
  // Zeros around operand 0 before the node's own padding, per spatial axis; empty: none.
  ir::Dims pads_begin = {};
  ir::Dims pads_end = {};
  ChannelFold fold = {};  // of the output channels; weights and bias must then be constant
  bool residual = false;  // operand 3 (same shape as the output) is added before the activations
  std::vector<Activation> activations = {};
};

// Operands: x [N, C, spatial...] (1 to 3 spatial axes), w, optional bias [M], optional residual.
std::unique_ptr<AcceleratedKernel> make_convolution(const ir::Node& node,
                                                    ConvolutionOptions options);

// Row of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_conv(const NodeFacts& facts);

}  // namespace fettle::interp
