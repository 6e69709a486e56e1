#include "quant/channel_loops.h"

#include <algorithm>
#include <bit>

#include "interp/parallel.h"
#include "interp/simd.h"
#include "ir/error.h"

namespace fettle::quant {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffffu;

// Magnitudes of floats are ordered like their bits, those of infinity and NaN above all others.
FETTLE_VECTORIZED
uint32_t largest_bits(const float* values, int64_t count) {
  uint32_t largest = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[i]) & kMagnitude;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

// One element of each channel in turn.
FETTLE_VECTORIZED
void raise_bits(const float* __restrict values, int64_t channels, uint32_t* __restrict largest) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[c]) & kMagnitude;
    largest[c] = bits > largest[c] ? bits : largest[c];
  }
}

FETTLE_VECTORIZED
void quantize_run(const float* __restrict values, int64_t count, float scale, int32_t zero_point,
                  ops::QuantRange range, uint8_t* __restrict to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    to[i] = static_cast<uint8_t>(ops::quantize_one(values[i], scale, zero_point, range));
  }
}

FETTLE_VECTORIZED
void quantize_across(const float* __restrict values, int64_t channels,
                     const float* __restrict scale, const int32_t* __restrict zero_point,
                     ops::QuantRange range, uint8_t* __restrict to) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    to[c] = static_cast<uint8_t>(ops::quantize_one(values[c], scale[c], zero_point[c], range));
  }
}

}  // namespace

ChannelView channel_view(const ir::Tensor& tensor, int64_t axis) {
  ChannelView view;
  if (axis < 0) {
    view.inner = tensor.size();
    return view;
  }
  if (axis >= static_cast<int64_t>(tensor.rank())) {
    fail(ErrorCode::kBadInput,
         "quantization axis {} of a tensor of shape {}; expected less than {}", axis,
         ir::to_string(tensor.dims()), tensor.rank());
  }
  const auto at = static_cast<size_t>(axis);
  view.channels = tensor.dim(at);
  for (size_t d = 0; d < at; ++d) view.outer *= tensor.dim(d);
  for (size_t d = at + 1; d < tensor.rank(); ++d) view.inner *= tensor.dim(d);
  return view;
}

std::vector<float> largest_magnitudes(std::span<const float> values, const ChannelView& view) {
  std::vector<uint32_t> largest(static_cast<size_t>(view.channels), 0);
  if (view.inner == 1) {
    for (int64_t o = 0; o < view.outer; ++o) {
      raise_bits(values.data() + o * view.channels, view.channels, largest.data());
    }
  } else {
    interp::for_each_row(view.channels, view.outer * view.inner, [&](int64_t c) {
      uint32_t& mine = largest[static_cast<size_t>(c)];
      for (int64_t o = 0; o < view.outer; ++o) {
        const float* run = values.data() + (o * view.channels + c) * view.inner;
        mine = std::max(mine, largest_bits(run, view.inner));
      }
    });
  }
  std::vector<float> magnitudes;
  for (const uint32_t bits : largest) magnitudes.push_back(std::bit_cast<float>(bits));
  return magnitudes;
}

void quantize_channels(std::span<const float> values, const ChannelView& view,
                       std::span<const float> scale, std::span<const int32_t> zero_point,
                       ops::QuantRange range, uint8_t* to) {
  if (view.inner == 1) {
    interp::for_each_row(view.outer, view.channels, [&](int64_t o) {
      const int64_t at = o * view.channels;
      quantize_across(values.data() + at, view.channels, scale.data(), zero_point.data(), range,
                      to + at);
    });
    return;
  }
  interp::for_each_row(view.outer * view.channels, view.inner, [&](int64_t row) {
    const auto c = static_cast<size_t>(row % view.channels);
    const int64_t at = row * view.inner;
    quantize_run(values.data() + at, view.inner, scale[c], zero_point[c], range, to + at);
  });
}

}  // namespace fettle::quant
