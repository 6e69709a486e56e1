// CumSum and CumProd: running sums and products along the axis given by operand 1.
#pragma once

#include "ops/kernel_context.h"

namespace fettle::ops {

// Floating types accumulate in double and round every output; integers wrap.
void cumulative_sum(KernelContext& ctx);
void cumulative_product(KernelContext& ctx);

}  // namespace fettle::ops
