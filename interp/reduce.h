// Reductions over any axes, and the pools that are reductions over all spatial axes.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// ReduceSum, Mean, Max, Min, Prod, L1, L2, SumSquare, LogSum and LogSumExp of float; Sum, Mean,
// Max, Min and Prod of int32 and int64; GlobalAveragePool and GlobalMaxPool.
std::unique_ptr<AcceleratedKernel> accelerate_reduction(const NodeFacts& facts);
// ArgMax and ArgMin of float along one axis.
std::unique_ptr<AcceleratedKernel> accelerate_arg_reduction(const NodeFacts& facts);
// CumSum of float, int32 and int64.
std::unique_ptr<AcceleratedKernel> accelerate_cumulative_sum(const NodeFacts& facts);

}  // namespace fettle::interp
