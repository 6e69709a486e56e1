// Float32 kernels for float16 and bfloat16 operands: computed in float32, each result rounded once.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// `inner` as it is for other types. Operands that are constant are converted once.
std::unique_ptr<AcceleratedKernel> with_half_operands(std::unique_ptr<AcceleratedKernel> inner);

}  // namespace fettle::interp
