// Channels of tensors in channel layouts, picked in any order.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "interp/blocked.h"

namespace fettle::interp {

// A channel of one of several operands.
struct ChannelPick {
  size_t operand = 0;
  int64_t channel = 0;
};

// A tensor whose channel c is picks[c]. Nothing unless all operands are float tensors in one
// channels-blocked layout and differ in their channels alone, and there is at least one pick.
std::optional<Blocked> gather_channels(const std::vector<const Blocked*>& operands,
                                       const std::vector<ChannelPick>& picks);

}  // namespace fettle::interp
