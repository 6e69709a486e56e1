// Float32 kernels for float16 and bfloat16 operands: computed in float32, each result rounded once.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// What a kernel's results in float32 are, when its operands are numbers of a narrower type.
enum class HalfResults {
  kRounded,   // any numbers: rounded to the type
  kSelected,  // numbers of the operands, their negations, or zero: of the type already
  kMoved,     // likewise, and not worth converting operands for
};

// `inner` as it is for other types. Operands that are constant are converted once; what one such
// kernel computes stays in float32 for the next.
std::unique_ptr<AcceleratedKernel> with_half_operands(std::unique_ptr<AcceleratedKernel> inner,
                                                      HalfResults results);

}  // namespace fettle::interp
