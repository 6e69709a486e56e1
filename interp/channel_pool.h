// Pools of three axes whose first one are channels.
#pragma once

#include <memory>

#include "interp/accelerated.h"

namespace fettle::interp {

// y[n, c, h, w] = the greatest of x[n, c * s, H', W'] over the windows that `pool`, a MaxPool of
// three axes with stride s on the first, has on [C, H, W]. Takes float (NaN wins), int8 and uint8
// tensors of four axes in a layout of their own; declines others and windows of several channels.
std::unique_ptr<AcceleratedKernel> make_channel_pool(const ir::Node& pool);

}  // namespace fettle::interp
