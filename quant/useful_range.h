// The part of a value's range that its readers can tell apart.
#pragma once

#include "calib/table.h"
#include "ir/graph.h"

namespace fettle::quant {

// Cuts `range` where every reader of `value` is flat: a convolution's output that only a Sigmoid,
// or x * Sigmoid(x), reads needs no codes below -8, where both are zero to three decimals. The
// range of values that anything else reads, or that leave the graph, is returned as it is.
calib::TensorRange useful_range(const ir::Value& value, calib::TensorRange range);

}  // namespace fettle::quant
