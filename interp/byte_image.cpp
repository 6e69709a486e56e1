#include "interp/byte_image.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "interp/parallel.h"

namespace fettle::interp {
namespace {

// Channels-last and plain order are the same.
bool same_order(const ir::Dims& dims) {
  int64_t positions = 1;
  for (size_t i = 2; i < dims.size(); ++i) positions *= dims[i];
  return dims[1] == 1 || positions == 1;
}

// `count` positions of one row, from plain planes that lie `plane` bytes apart.
void interleave_row(const uint8_t* from, int64_t plane, int64_t channels, int64_t count,
                    uint8_t* to) {
  if (channels == 3) {
    for (int64_t w = 0; w < count; ++w) {
      to[3 * w] = from[w];
      to[3 * w + 1] = from[plane + w];
      to[3 * w + 2] = from[2 * plane + w];
    }
    return;
  }
  constexpr int64_t kTogether = 64;  // positions whose cache lines stay near
  for (int64_t begin = 0; begin < count; begin += kTogether) {
    const int64_t end = std::min(count, begin + kTogether);
    for (int64_t c = 0; c < channels; ++c) {
      const uint8_t* source = from + c * plane;
      for (int64_t w = begin; w < end; ++w) to[w * channels + c] = source[w];
    }
  }
}

// channels_last_desc(), kept for the shapes that come again.
const dnnl::memory::desc& known_channels_last(const ir::Dims& dims, ir::DataType type) {
  struct Entry {
    ir::Dims dims;
    ir::DataType type = ir::DataType::kUndefined;
    dnnl::memory::desc desc;
  };
  constexpr size_t kEntries = 64;
  thread_local std::array<Entry, kEntries> entries;
  auto place = static_cast<uint64_t>(type);
  for (const int64_t extent : dims) place = place * 31 + static_cast<uint64_t>(extent);
  Entry& entry = entries[(place ^ (place >> 6) ^ (place >> 12)) % kEntries];
  if (entry.type != type || entry.dims != dims) {
    entry = {dims, type, channels_last_desc(dims, type)};
  }
  return entry.desc;
}

}  // namespace

Axes spatial_axes(const std::vector<int64_t>& values, size_t skip, int64_t rest) {
  Axes axes{rest, rest, rest};
  std::copy(values.begin() + static_cast<int64_t>(skip), values.end(),
            axes.end() - static_cast<int64_t>(values.size() - skip));
  return axes;
}

ByteImage byte_image(Call& call, size_t i) {
  const Blocked* own = call.blocked(i);
  if (own != nullptr && own->desc == known_channels_last(own->dims(), own->type)) {
    return {reinterpret_cast<const uint8_t*>(own->buffer->data()), true};
  }
  const ir::Tensor& plain = *call.tensor(i);
  return {reinterpret_cast<const uint8_t*>(plain.bytes()), same_order(plain.dims())};
}

void pad_image(const ByteImage& image, const ImagePadding& p, uint8_t* to) {
  const int64_t row = p.padded[2] * p.channels;
  const int64_t positions = p.size[0] * p.size[1] * p.size[2];
  const int64_t rows = p.samples * p.padded[0] * p.padded[1];
  const int64_t kept = std::max<int64_t>(0, std::min(p.size[2], p.padded[2] - p.before[2]));
  for_each_row(rows, image.channels_last ? row / 16 : row, [&](int64_t r) {
    uint8_t* out = to + r * row;
    const int64_t h = r % p.padded[1] - p.before[1];
    const int64_t d = r / p.padded[1] % p.padded[0] - p.before[0];
    const int64_t n = r / (p.padded[0] * p.padded[1]);
    if (h < 0 || h >= p.size[1] || d < 0 || d >= p.size[0]) {
      std::memset(out, p.zero, static_cast<size_t>(row));
      return;
    }
    const int64_t left = p.before[2] * p.channels;
    const int64_t middle = kept * p.channels;
    std::memset(out, p.zero, static_cast<size_t>(left));
    const int64_t at = (d * p.size[1] + h) * p.size[2];
    const uint8_t* sample = image.bytes + n * positions * p.channels;
    if (image.channels_last) {
      std::memcpy(out + left, sample + at * p.channels, static_cast<size_t>(middle));
    } else {
      interleave_row(sample + at, positions, p.channels, kept, out + left);
    }
    std::memset(out + left + middle, p.zero, static_cast<size_t>(row - left - middle));
  });
}

void set_image(Call& call, size_t i, std::shared_ptr<ir::Buffer> bytes, const ir::Dims& dims,
               ir::DataType type) {
  if (same_order(dims)) {
    call.set(i, ir::Tensor(type, dims, std::move(bytes)));
  } else {
    call.set(i, Blocked{known_channels_last(dims, type), std::move(bytes), type, dims});
  }
}

}  // namespace fettle::interp
