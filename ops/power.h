// Pow: the result has the type of the base, whatever the type of the exponent.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Broadcast of both operands; the element types may differ.
void infer_power(InferContext& ctx);
// Floating bases are computed in double. An integer base with an integer exponent is exact modulo
// 2^bits, a negative exponent truncates the true quotient (0 to a negative power throws kBadInput);
// with a floating exponent the result is truncated and saturated.
void power(KernelContext& ctx);
// Version 1: broadcasting by attributes, one element type.
void legacy_power(KernelContext& ctx);

}  // namespace fettle::ops
