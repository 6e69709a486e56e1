#include "interp/concat.h"

#include <cstring>

#include "interp/parallel.h"

namespace fettle::interp {
namespace {

// Operands [N, C_i, ...] all channels-last, or all in one channel-blocked layout whose blocks every
// C_i fills. Either way each operand contributes one run of bytes per outer position of the result.
class ConcatChannels : public AcceleratedKernel {
 public:
  explicit ConcatChannels(size_t count) : count_(count) {}

  bool run(Call& call) override {
    std::vector<ChannelLayout> layouts;
    ir::Dims output;
    bool last = true;
    bool grouped = true;
    for (size_t i = 0; i < count_; ++i) {
      const Blocked* own = call.blocked(i);
      const auto layout = own != nullptr ? channel_layout(*own) : std::nullopt;
      if (!layout || own->type != ir::DataType::kFloat ||
          (i > 0 && !same_but_channels(*call.dims(i), output)))
        return false;
      last = last && own->desc == channels_last_desc(own->dims(), own->type);
      grouped = grouped && !is_padded(own->desc) && (i == 0 || layout->block == layouts[0].block);
      layouts.push_back(*layout);
      if (i == 0) output = *call.dims(0);
      if (i > 0) output[1] += layout->channels;
    }
    if (!last && !grouped) return false;
    Blocked out = allocate_blocked(last ? channels_last_desc(output, ir::DataType::kFloat)
                                        : channel_blocked_desc(output, layouts[0].block),
                                   ir::DataType::kFloat);
    const int64_t outer = last ? layouts[0].batch * layouts[0].positions : layouts[0].batch;
    copy(call, layouts, outer, out);
    call.set(0, std::move(out));
    return true;
  }

 private:
  static bool same_but_channels(const ir::Dims& a, const ir::Dims& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (i != 1 && a[i] != b[i]) return false;
    }
    return true;
  }

  void copy(Call& call, const std::vector<ChannelLayout>& layouts, int64_t outer,
            const Blocked& out) const {
    struct Run {
      const float* from;
      int64_t length;
    };
    std::vector<Run> runs;
    int64_t row_length = 0;
    for (size_t i = 0; i < count_; ++i) {
      const ChannelLayout& l = layouts[i];
      const int64_t length = l.batch * l.positions * l.channels / outer;
      runs.push_back({reinterpret_cast<const float*>(call.blocked(i)->buffer->data()), length});
      row_length += length;
    }
    auto* to = reinterpret_cast<float*>(out.buffer->mutable_data());
    for_each_row(outer, row_length, [&](int64_t row) {
      float* at = to + row * row_length;
      for (const Run& run : runs) {
        std::memcpy(at, run.from + row * run.length,
                    static_cast<size_t>(run.length) * sizeof(float));
        at += run.length;
      }
    });
  }

  size_t count_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_concat(const NodeFacts& facts) {
  if (facts.node->attr_int("axis", 1) != 1) return nullptr;
  return std::make_unique<ConcatChannels>(facts.node->inputs().size());
}

}  // namespace fettle::interp
