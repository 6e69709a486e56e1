// Integer convolution by float32 convolutions whose every partial sum is an integer below 2^24 and
// therefore exact, in whatever order it is summed. For CPUs without exact 8-bit products.
#pragma once

#include <memory>
#include <vector>

#include "interp/accelerated.h"

namespace fettle::interp {

class ExactFloatConvolution {
 public:
  // True for weights [M, C/group, kernel...] of 3 to 5 axes that can be decomposed so.
  static bool possible(const ir::Tensor& w);

  // `w` is uint8 or int8, `w_zero` holds one zero point or M; possible(w) must hold. The weights
  // minus their zero points are written in digits of a base small enough: w = sum of digit[i] *
  // base^i, one convolution per digit.
  ExactFloatConvolution(const ir::Node& node, const ir::Tensor& w,
                        const std::vector<int32_t>& w_zero);

  // sum (x - x_zero) * (w - w_zero) as int32, [N, M, spatial...]; x is uint8 or int8.
  ir::Tensor accumulate(const ir::Tensor& x, int32_t x_zero);

 private:
  struct Digit {
    int32_t factor = 1;  // base^i
    ops::RuntimeValue weights;
    std::unique_ptr<AcceleratedKernel> kernel;
  };
  std::vector<Digit> digits_;
};

}  // namespace fettle::interp
