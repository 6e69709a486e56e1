// HardSwish written out: x * Clip(x + 3, 0, 6) / 6.
#pragma once

#include <vector>

#include "interp/fusion.h"

namespace fettle::interp {

// The nodes that alone read `value`, named x above, and compute its HardSwish; the last one has the
// result. Empty when there are none. The division by 6 may come before the product and be a Mul.
std::vector<const ir::Node*> find_hard_swish(const ir::Value* value, const FusionView& view);

}  // namespace fettle::interp
