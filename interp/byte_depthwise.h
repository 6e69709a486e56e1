// Depthwise convolution of 8-bit integers by the loops of byte_kernel.h, on channels-last bytes.
#pragma once

#include <memory>

#include "interp/accelerated.h"
#include "interp/integer_convolution.h"

namespace fettle::interp {

// `w` holds the weights as int8 without zero point, [C, 1, kernel...] with 3 to 5 axes. The kernel
// declines negative padding. x is plain or channels-last, and so is y.
std::unique_ptr<AcceleratedKernel> make_byte_depthwise(const IntegerConvolutionSpec& spec,
                                                       const ir::Tensor& w);

}  // namespace fettle::interp
