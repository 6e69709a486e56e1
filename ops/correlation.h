// The sliding dot product behind every convolution. Sums are in double, which is exact for integer
// operands of at most 8 bits (below 2^53 for any tensor that fits memory), so the floating and the
// quantized operators share it.
#pragma once

#include <functional>
#include <span>

#include "ops/window.h"

namespace fettle::ops {

// Writes elements [begin, begin + count) of an operand as double.
using LoadOperand = std::function<void(int64_t begin, int64_t count, double* out)>;
// Takes the finished output map [output spatial] of one sample and output channel.
using StoreMap = std::function<void(int64_t sample, int64_t channel, std::span<const double> map)>;

// x [N, C, spatial], w [M, C/group, kernel]: each map of y [N, M, window.output].
void convolve(const Window& window, const ir::Dims& x, const ir::Dims& w, const LoadOperand& load_x,
              const LoadOperand& load_w, const StoreMap& store);
// x [N, C, spatial], w [C, M/group, kernel]: each map of y [N, M, window.output].
void convolve_transposed(const Window& window, const ir::Dims& x, const ir::Dims& w,
                         const LoadOperand& load_x, const LoadOperand& load_w,
                         const StoreMap& store);

}  // namespace fettle::ops
