#include "interp/channel_range.h"

#include <algorithm>
#include <cstring>

#include "interp/channel_gather.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

// Zeroes the lanes of the last group from lane `used` on.
void clear_tail(const ChannelLayout& layout, int64_t used, float* data) {
  for (int64_t n = 0; n < layout.batch; ++n) {
    float* group = data + ((n + 1) * layout.groups - 1) * layout.positions * layout.block;
    for (int64_t i = 0; i < layout.positions; ++i) {
      std::fill(group + i * layout.block + used, group + (i + 1) * layout.block, 0.0f);
    }
  }
}

}  // namespace

std::optional<Blocked> channel_range(const Blocked& from, int64_t begin, int64_t count) {
  const auto layout = channel_layout(from);
  if (!layout || count == 0) return std::nullopt;
  ir::Dims dims = from.dims();
  dims[1] = count;
  const bool last = from.desc == channels_last_desc(from.dims(), from.type);
  if (!last && begin % layout->block != 0) {
    std::vector<ChannelPick> picks;
    for (int64_t c = 0; c < count; ++c) picks.push_back({0, begin + c});
    return gather_channels({&from}, picks);
  }
  Blocked out = allocate_blocked(
      last ? channels_last_desc(dims, from.type) : channel_blocked_desc(dims, layout->block),
      from.type);
  const auto width = static_cast<int64_t>(ir::data_type_bytes(from.type, 1));
  const std::byte* source = from.buffer->data();
  std::byte* target = out.buffer->mutable_data();
  const int64_t rows = last ? layout->batch * layout->positions : layout->batch;
  const int64_t from_row =
      last ? layout->channels : layout->groups * layout->positions * layout->block;
  const int64_t groups = last ? 1 : (count + layout->block - 1) / layout->block;
  const int64_t to_row = last ? count : groups * layout->positions * layout->block;
  const int64_t offset = last ? begin : begin * layout->positions;
  for_each_row(rows, to_row, [&](int64_t row) {
    std::memcpy(target + row * to_row * width, source + (row * from_row + offset) * width,
                static_cast<size_t>(to_row * width));
  });
  if (!last && count % layout->block != 0 && begin + count < layout->channels) {
    clear_tail({layout->batch, count, groups, layout->positions, layout->block},
               count % layout->block, reinterpret_cast<float*>(target));
  }
  return out;
}

}  // namespace fettle::interp
