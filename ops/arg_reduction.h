// ArgMax and ArgMin along one axis.
#pragma once

#include "ops/kernel_context.h"

namespace fettle::ops {

// The first index of the extremum, or the last with select_last_index. NaN counts as the extremum,
// as in numpy. Throws kBadInput when the axis is empty but the output is not.
void arg_max(KernelContext& ctx);
void arg_min(KernelContext& ctx);

}  // namespace fettle::ops
