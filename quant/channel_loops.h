// Loops over the elements of a weight, channel by channel.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/tensor.h"
#include "ops/requantize.h"

namespace fettle::quant {

// A tensor seen from one axis: [outer, channels, inner]. Without an axis it has one channel.
struct ChannelView {
  int64_t outer = 1;
  int64_t channels = 1;
  int64_t inner = 1;
};

// `axis` -1: none. Throws kBadInput for an axis that the tensor does not have.
ChannelView channel_view(const ir::Tensor& tensor, int64_t axis);

// The largest magnitude of each channel; infinite or NaN when the channel holds such a value.
std::vector<float> largest_magnitudes(std::span<const float> values, const ChannelView& view);

// to[i] = saturate(round_half_even(values[i] / scale[c]) + zero_point[c]) within `range`, as the low
// 8 bits. Scales and zero points have one element per channel.
void quantize_channels(std::span<const float> values, const ChannelView& view,
                       std::span<const float> scale, std::span<const int32_t> zero_point,
                       ops::QuantRange range, uint8_t* to);

}  // namespace fettle::quant
