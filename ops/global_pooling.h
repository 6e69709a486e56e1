// Pools whose window is the whole map: GlobalAveragePool, GlobalMaxPool, GlobalLpPool.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Output [N, C, 1, ...] of the rank of the input [N, C, spatial...].
void infer_global_pool(InferContext& context);
void global_average_pool(KernelContext& context);
void global_max_pool(KernelContext& context);
void global_lp_pool(KernelContext& context);

// Attribute p of LpPool and GlobalLpPool: a float in version 1, an int since version 2; 2 when
// absent. Throws kBadInput unless p > 0.
double lp_exponent(const ir::Node& node);
// |x|^p.
double power_of_magnitude(double x, double p);

}  // namespace fettle::ops
