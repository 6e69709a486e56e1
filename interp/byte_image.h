// Quantized images in channels-last layout with explicit padding, as byte_kernel.h reads them.
#pragma once

#include <array>
#include <cstdint>

#include "interp/accelerated.h"
#include "interp/qdq_loops.h"

namespace fettle::interp {

using Axes = std::array<int64_t, 3>;  // depth, height, width; 1 where an image has no such axis

// The spatial axes of dims [N, C, spatial...], 1 to 3 of them, or one number for each of them, at
// the end of `rest`.
Axes spatial_axes(const std::vector<int64_t>& values, size_t skip, int64_t rest);

// The bytes of a quantized operand of 3 to 5 axes: channels-last where it is so already or where
// that is the same, else plain.
struct ByteImage {
  const uint8_t* bytes = nullptr;
  bool channels_last = true;
};
ByteImage byte_image(Call& call, size_t i);

// Channels-last copy of a plain or channels-last image [N, C, size] with `before` positions of
// `zero` before and up to `padded` positions in all, cropped to that.
struct ImagePadding {
  int64_t samples = 1;
  int64_t channels = 1;
  Axes size{}, before{}, padded{};
  uint8_t zero = 0;
};
void pad_image(const ByteImage& image, const ImagePadding& p, uint8_t* to);

// Output `i` of the call: channels-last bytes of these dims, plain where that is the same.
void set_image(Call& call, size_t i, std::shared_ptr<ir::Buffer> bytes, const ir::Dims& dims,
               ir::DataType type);

}  // namespace fettle::interp
