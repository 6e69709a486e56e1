// Ranges of the channels of a tensor in a primitive's own layout.
#pragma once

#include <optional>

#include "interp/blocked.h"

namespace fettle::interp {

// Channels [begin, begin + count) of `from` in the same kind of layout. Nothing when that is no
// channel layout or the range is empty.
std::optional<Blocked> channel_range(const Blocked& from, int64_t begin, int64_t count);

}  // namespace fettle::interp
