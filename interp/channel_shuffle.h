// Channels of an image that change places by groups.
#pragma once

#include <memory>

#include "interp/accelerated.h"

namespace fettle::interp {

// x [N, C, H, W] as [N, g, C/g, H, W], with axes 1 and 2 exchanged, as [N, C, H, W] again: channel
// c of the result is channel c % g * C/g + c / g of x. `split` and `joined` are the target shapes of
// the two Reshapes, with 0 and -1 for extents to find. Takes elements of any type and layout;
// declines when the shapes mean something else.
std::unique_ptr<AcceleratedKernel> make_channel_shuffle(ir::Dims split, ir::Dims joined);

}  // namespace fettle::interp
