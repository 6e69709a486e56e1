// Chains of element-wise functions, with reductions of the last axis between them, computed in one
// pass over memory.
#pragma once

#include <memory>

#include "interp/accelerated.h"
#include "interp/row_pass.h"

namespace fettle::interp {

// The kernel whose output is the result of the chain. It declines operands of other types, shapes
// that are not rows with one number per row or per column besides, and padded layouts. Null for too
// many operands or no instructions.
std::unique_ptr<AcceleratedKernel> make_row_program(RowChain chain);

}  // namespace fettle::interp
