#include "interp/concat.h"

#include <cstring>

#include "interp/parallel.h"

namespace fettle::interp {
namespace {

// Operands [N, C_i, ...] in one channel-blocked layout each, all C_i multiples of the block, so that
// the result is blocked too and every operand is a run of whole blocks per sample.
class ConcatChannels : public AcceleratedKernel {
 public:
  explicit ConcatChannels(size_t count) : count_(count) {}

  bool run(Call& call) override {
    int64_t block = 0;
    int64_t channels = 0;
    for (size_t i = 0; i < count_; ++i) {
      const Blocked* own = call.blocked(i);
      if (own == nullptr) return false;
      const int64_t its_block = channel_block(*own);
      const ir::Dims& dims = *call.dims(i);
      if (its_block == 0 || (block != 0 && its_block != block) || dims[1] % its_block != 0) {
        return false;
      }
      if (!same_but_channels(dims, *call.dims(0))) return false;
      block = its_block;
      channels += dims[1];
    }
    if (block == 0) return false;
    ir::Dims output = *call.dims(0);
    output[1] = channels;
    Blocked out = allocate_blocked(channel_blocked_desc(output, block), ir::DataType::kFloat);
    copy(call, output[0], out);
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

  void copy(Call& call, int64_t batch, const Blocked& out) const {
    std::byte* to = out.buffer->mutable_data();
    for (int64_t n = 0; n < batch; ++n) {
      for (size_t i = 0; i < count_; ++i) {
        const Blocked& own = *call.blocked(i);
        const size_t bytes = own.desc.get_size() / static_cast<size_t>(batch);
        const std::byte* from = own.buffer->data() + static_cast<size_t>(n) * bytes;
        for_chunks(static_cast<int64_t>(bytes), [&](int64_t begin, int64_t end) {
          std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
        });
        to += bytes;
      }
    }
  }

  size_t count_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_concat(const NodeFacts& facts) {
  if (facts.node->attr_int("axis", 1) != 1) return nullptr;
  return std::make_unique<ConcatChannels>(facts.node->inputs().size());
}

}  // namespace fettle::interp
