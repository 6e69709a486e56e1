#include "interp/concat.h"

#include <algorithm>
#include <cstring>

#include "interp/box_copy.h"
#include "interp/channel_gather.h"
#include "interp/movement_kernel.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

// One operand's share of every row of the result.
struct Run {
  const std::byte* from = nullptr;
  size_t bytes = 0;
};

constexpr int64_t kPiece = 64 << 10;  // bytes of a single row that a thread takes at a time

// Joins `outer` rows: to[row] = runs[0][row], runs[1][row], ...
void join_rows(const std::vector<Run>& runs, int64_t outer, std::byte* to) {
  size_t row_bytes = 0;
  for (const Run& run : runs) row_bytes += run.bytes;
  if (outer == 1) {
    for (const Run& run : runs) {
      const auto bytes = static_cast<int64_t>(run.bytes);
      std::byte* target = to;
      for_each_row((bytes + kPiece - 1) / kPiece, kPiece / 4, [&](int64_t i) {
        const int64_t begin = i * kPiece;
        const int64_t end = std::min(bytes, begin + kPiece);
        std::memcpy(target + begin, run.from + begin, static_cast<size_t>(end - begin));
      });
      to += run.bytes;
    }
    return;
  }
  for_each_row(outer, static_cast<int64_t>(row_bytes / 4), [&](int64_t row) {
    const auto index = static_cast<size_t>(row);
    std::byte* at = to + index * row_bytes;
    for (const Run& run : runs) {
      if (run.bytes == 0) continue;
      std::memcpy(at, run.from + index * run.bytes, run.bytes);
      at += run.bytes;
    }
  });
}

class Concat : public MovementKernel {
 public:
  Concat(const ir::Node& node, size_t count)
      : MovementKernel(count), count_(count), axis_(node.attr_int("axis", 1)) {}

 protected:
  bool prepare(Call& call) override {
    if (call.input_count() != count_ || call.dims(0) == nullptr) return false;
    const size_t width = element_width(call.type(0));
    dims_ = *call.dims(0);
    const auto axis = axis_within(axis_, dims_.size());
    if (width == 0 || !axis) return false;
    by_channel_ = *axis == 1 && dims_.size() >= 3 && dims_.size() <= 5;
    outer_ = extents_between(dims_, 0, *axis);
    const int64_t inner = extents_between(dims_, *axis + 1, dims_.size());
    runs_.assign(count_, {});
    int64_t total = 0;
    for (size_t i = 0; i < count_; ++i) {
      if (call.type(i) != call.type(0)) return false;
      const ir::Dims& in = *call.dims(i);
      if (in.size() != dims_.size()) return false;
      for (size_t k = 0; k < in.size(); ++k) {
        if (k != *axis && in[k] != dims_[k]) return false;
      }
      if (__builtin_add_overflow(total, in[*axis], &total)) return false;
      int64_t bytes = 0;
      if (__builtin_mul_overflow(in[*axis] * inner, static_cast<int64_t>(width), &bytes)) {
        return false;
      }
      runs_[i].bytes = static_cast<size_t>(bytes);
    }
    dims_[*axis] = total;
    return true;
  }

  bool execute(Call& call) override {
    if (by_channel_ && join_channels(call)) return true;
    ir::Tensor out(call.type(0), dims_);
    if (out.size() > 0) {
      for (size_t i = 0; i < count_; ++i) runs_[i].from = call.tensor(i)->bytes();
      join_rows(runs_, outer_, out.mutable_bytes());
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  // Operands [N, C_i, ...] all channels-last, or all in one channel-blocked layout whose blocks
  // every C_i fills: each contributes one run of bytes per outer position of the result. Operands
  // in other layouts are brought into that of the first one that has any.
  bool join_channels(Call& call) const {
    std::optional<ChannelLayout> layout;
    bool last = false;
    for (size_t i = 0; i < count_ && !layout; ++i) {
      const Blocked* own = call.blocked(i);
      if (own == nullptr) continue;
      layout = channel_layout(*own);
      last = layout && own->desc == channels_last_desc(own->dims(), own->type);
      if (!layout) return false;
    }
    if (!layout || dims_[1] == 0) return false;
    if (!last && call.type(0) != ir::DataType::kFloat) return false;
    for (size_t i = 0; i < count_; ++i) {
      const int64_t channels = (*call.dims(i))[1];
      if (channels == 0) return false;
      if (!last && channels % layout->block != 0) return gather_operands(call);
    }
    const auto described = [&](const ir::Dims& dims) {
      return last ? channels_last_desc(dims, call.type(0))
                  : channel_blocked_desc(dims, layout->block);
    };
    Blocked out = allocate_blocked(described(dims_), call.type(0));
    const int64_t outer = last ? layout->batch * layout->positions : layout->batch;
    if (outer == 0) return false;
    std::vector<Run> runs(count_);
    std::vector<Blocked> storage(count_);
    for (size_t i = 0; i < count_; ++i) {
      const dnnl::memory::desc wanted = described(*call.dims(i));
      runs[i] = {in_layout(call, i, wanted, storage[i]),
                 wanted.get_size() / static_cast<size_t>(outer)};
    }
    join_rows(runs, outer, out.buffer->mutable_data());
    call.set(0, std::move(out));
    return true;
  }

  // Operands of one channels-blocked layout whose channels do not fill the blocks.
  bool gather_operands(Call& call) const {
    std::vector<const Blocked*> operands;
    std::vector<ChannelPick> picks;
    for (size_t i = 0; i < count_; ++i) {
      operands.push_back(call.blocked(i));
      for (int64_t c = 0; c < (*call.dims(i))[1]; ++c) picks.push_back({i, c});
    }
    std::optional<Blocked> out = gather_channels(operands, picks);
    if (!out) return false;
    call.set(0, std::move(*out));
    return true;
  }

  size_t count_;
  int64_t axis_;
  bool by_channel_ = false;
  ir::Dims dims_;  // of the result
  int64_t outer_ = 1;
  std::vector<Run> runs_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_concat(const NodeFacts& facts) {
  const size_t count = facts.node->inputs().size();
  if (count == 0 || (facts.opset >= 4 && !facts.node->has_attribute("axis"))) return nullptr;
  return std::make_unique<Concat>(*facts.node, count);
}

}  // namespace fettle::interp
