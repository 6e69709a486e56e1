// Convolution of 8-bit integers with exact 32-bit accumulation.
#pragma once

#include <memory>
#include <vector>

#include "interp/accelerated.h"
#include "interp/qdq_loops.h"

namespace fettle::interp {

// y = requantize(sum (x - x_zero) * (w - w_zero[m]) + bias[m]); operand 0 of the kernel is x.
struct IntegerConvolutionSpec {
  const ir::Node* node = nullptr;  // carries the window's attributes
  ByteTarget x;
  ir::Tensor w;                   // [M, C/group, kernel...] of uint8 or int8
  std::vector<int32_t> w_zero;    // one, or M
  std::vector<int32_t> bias;      // none, or M
  std::vector<float> multiplier;  // M
  ByteTarget y;
};

// Null for weights that no path computes exactly (not 3 to 5 axes, sums too long). The kernel never
// declines; it throws kBadInput for an x of another type or rank.
std::unique_ptr<AcceleratedKernel> make_integer_convolution(IntegerConvolutionSpec spec);

// Row of the table of accelerated kernels: QLinearConv with constant parameters.
std::unique_ptr<AcceleratedKernel> accelerate_qlinear_conv(const NodeFacts& facts);

}  // namespace fettle::interp
