// Slice and Split.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// One output of a Split node, whose operands it takes.
std::unique_ptr<AcceleratedKernel> make_split_part(const ir::Node& split, int64_t opset,
                                                   size_t output);

// Rows of the table of accelerated kernels.
std::unique_ptr<AcceleratedKernel> accelerate_slice(const NodeFacts& facts);
std::unique_ptr<AcceleratedKernel> accelerate_split(const NodeFacts& facts);

}  // namespace fettle::interp
