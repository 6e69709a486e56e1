// float32 <-> float16 of constants, and what is lost.
#pragma once

#include "ir/tensor.h"

namespace fettle::quant {

inline constexpr float kLargestFp16 = 65504.0f;

struct Fp16Loss {
  int64_t elements = 0;
  int64_t beyond_range = 0;  // finite, but larger in magnitude than kLargestFp16
  int64_t to_zero = 0;       // not zero, but rounded to it
  int64_t subnormal = 0;     // kept with fewer bits
};

// Requires a float32 tensor.
Fp16Loss measure_fp16_loss(const ir::Tensor& tensor);
// Rounds to nearest even; leaves the heap when large.
ir::Tensor to_fp16(const ir::Tensor& tensor);

}  // namespace fettle::quant
