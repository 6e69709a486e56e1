#include "interp/channel_gather.h"

#include <algorithm>
#include <cstring>

#include "interp/parallel.h"

namespace fettle::interp {
namespace {

constexpr size_t kWidest = 16;     // lanes of a block
constexpr size_t kMostGroups = 4;  // that vectors combine to one group of the result

alignas(64) constexpr float kZeros[kWidest] = {};

// Where the lanes of one group of the result come from, for one element of the batch: lane l of
// position p is from[which[l]][p * step[which[l]] + lane[l]].
struct GroupSource {
  std::vector<const float*> from;
  std::vector<int64_t> step;
  int32_t which[kWidest] = {};
  int32_t lane[kWidest] = {};

  int32_t index_of(const float* group, int64_t distance) {
    for (size_t i = 0; i < from.size(); ++i) {
      if (from[i] == group) return static_cast<int32_t>(i);
    }
    from.push_back(group);
    step.push_back(distance);
    return static_cast<int32_t>(from.size()) - 1;
  }
};

template <int lanes>
void move_lanes(const GroupSource& source, float* to, int64_t positions) {
  const float* from[lanes];
  int64_t step[lanes];
  for (int l = 0; l < lanes; ++l) {
    from[l] = source.from[static_cast<size_t>(source.which[l])] + source.lane[l];
    step[l] = source.step[static_cast<size_t>(source.which[l])];
  }
  for (int64_t p = 0; p < positions; ++p) {
    for (int l = 0; l < lanes; ++l) to[p * lanes + l] = from[l][p * step[l]];
  }
}

#if defined(__x86_64__)
// Blocks of 16 lanes from up to 4 groups: two groups are combined to one vector, and two such
// vectors to the result.
typedef float Vector16 __attribute__((vector_size(64)));
typedef int32_t Mask16 __attribute__((vector_size(64)));

[[gnu::always_inline]] inline void load(const float* from, Vector16& vector) {
  std::memcpy(&vector, from, sizeof vector);
}

__attribute__((target("avx512f"))) void combine_16(const GroupSource& source, float* to,
                                                   int64_t positions) {
  const size_t count = source.from.size();
  const float* from[kMostGroups];
  int64_t step[kMostGroups];
  for (size_t i = 0; i < kMostGroups; ++i) {
    from[i] = source.from[std::min(i, count - 1)];
    step[i] = source.step[std::min(i, count - 1)];
  }
  Mask16 low = {};   // into groups 0 and 1
  Mask16 high = {};  // into groups 2 and 3
  Mask16 pick = {};  // into what the two gave
  for (int l = 0; l < 16; ++l) {
    const int32_t which = source.which[l];
    low[l] = which < 2 ? which * 16 + source.lane[l] : 0;
    high[l] = which < 2 ? 0 : (which - 2) * 16 + source.lane[l];
    pick[l] = which < 2 ? l : 16 + l;
  }
  for (int64_t p = 0; p < positions; ++p) {
    Vector16 a, b;
    load(from[0] + p * step[0], a);
    load(from[1] + p * step[1], b);
    Vector16 result = __builtin_shuffle(a, b, low);
    if (count > 2) {
      load(from[2] + p * step[2], a);
      load(from[3] + p * step[3], b);
      result = __builtin_shuffle(result, __builtin_shuffle(a, b, high), pick);
    }
    std::memcpy(to + p * 16, &result, sizeof result);
  }
}

bool has_wide_vectors() {
  static const bool has = __builtin_cpu_supports("avx512f") != 0;
  return has;
}
#else
bool has_wide_vectors() {
  return false;
}
void combine_16(const GroupSource&, float*, int64_t) {}
#endif

void move_group(const GroupSource& source, int64_t block, float* to, int64_t positions) {
  if (block == 16 && source.from.size() <= kMostGroups && has_wide_vectors()) {
    return combine_16(source, to, positions);
  }
  switch (block) {
    case 16:
      return move_lanes<16>(source, to, positions);
    case 8:
      return move_lanes<8>(source, to, positions);
    default:
      return move_lanes<4>(source, to, positions);
  }
}

// The layout that all operands have; nothing when they differ.
std::optional<std::vector<ChannelLayout>> common_layouts(
    const std::vector<const Blocked*>& operands) {
  std::vector<ChannelLayout> layouts;
  for (const Blocked* operand : operands) {
    if (operand == nullptr || operand->type != ir::DataType::kFloat) return std::nullopt;
    const auto layout = channel_layout(*operand);
    if (!layout || operand->desc == channels_last_desc(operand->dims(), operand->type)) {
      return std::nullopt;
    }
    layouts.push_back(*layout);
    const ir::Dims& first = operands.front()->dims();
    const ir::Dims& dims = operand->dims();
    bool same = layouts.front().block == layout->block && first.size() == dims.size();
    for (size_t k = 0; same && k < dims.size(); ++k) same = k == 1 || first[k] == dims[k];
    if (!same) return std::nullopt;
  }
  return layouts;
}

}  // namespace

std::optional<Blocked> gather_channels(const std::vector<const Blocked*>& operands,
                                       const std::vector<ChannelPick>& picks) {
  if (operands.empty() || picks.empty()) return std::nullopt;
  const auto layouts = common_layouts(operands);
  if (!layouts) return std::nullopt;
  const ChannelLayout& first = layouts->front();
  const int64_t block = first.block;
  const int64_t positions = first.positions;
  const auto channels = static_cast<int64_t>(picks.size());
  const int64_t groups = (channels + block - 1) / block;
  ir::Dims dims = operands.front()->dims();
  dims[1] = channels;
  Blocked out = allocate_blocked(channel_blocked_desc(dims, block), ir::DataType::kFloat);
  auto* to = reinterpret_cast<float*>(out.buffer->mutable_data());
  for_each_row(first.batch * groups, positions * block, [&](int64_t i) {
    const int64_t n = i / groups;
    GroupSource source;
    for (int64_t l = 0; l < block; ++l) {
      const int64_t c = i % groups * block + l;
      const auto at = static_cast<size_t>(l);
      if (c >= channels) {
        source.which[at] = source.index_of(kZeros, 0);
        continue;
      }
      const ChannelPick& pick = picks[static_cast<size_t>(c)];
      const auto* data = reinterpret_cast<const float*>(operands[pick.operand]->buffer->data());
      const int64_t group = n * (*layouts)[pick.operand].groups + pick.channel / block;
      source.which[at] = source.index_of(data + group * positions * block, block);
      source.lane[at] = static_cast<int32_t>(pick.channel % block);
    }
    move_group(source, block, to + i * positions * block, positions);
  });
  return out;
}

}  // namespace fettle::interp
