#include "interp/channel_shuffle.h"

#include <algorithm>
#include <cstring>

#include "interp/box_copy.h"
#include "interp/channel_gather.h"
#include "interp/parallel.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

using Bytes16 = uint8_t __attribute__((vector_size(16)));
using Bytes32 = uint8_t __attribute__((vector_size(32)));
using Words4 = uint32_t __attribute__((vector_size(16)));
using Words8 = uint32_t __attribute__((vector_size(32)));

inline __attribute__((always_inline)) void alternate(const Bytes16& a, const Bytes16& b,
                                                     uint8_t* to) {
  const Bytes32 both = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                               22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                               29, 14, 30, 15, 31);
  std::memcpy(to, &both, sizeof both);
}
inline __attribute__((always_inline)) void alternate(const Words4& a, const Words4& b,
                                                     uint32_t* to) {
  const Words8 both = __builtin_shufflevector(a, b, 0, 4, 1, 5, 2, 6, 3, 7);
  std::memcpy(to, &both, sizeof both);
}

// Elements of `a` and `b` in turns; the last vectors overlap those before them.
template <typename Vector, typename Element>
inline __attribute__((always_inline)) void alternate_runs(const Element* a, const Element* b,
                                                          int64_t n, Element* to) {
  constexpr auto kLanes = static_cast<int64_t>(sizeof(Vector) / sizeof(Element));
  if (n < kLanes) {
    for (int64_t i = 0; i < n; ++i) {
      to[2 * i] = a[i];
      to[2 * i + 1] = b[i];
    }
    return;
  }
  for (int64_t at = 0; at < n; at += kLanes) {
    const int64_t i = std::min(at, n - kLanes);
    Vector left;
    Vector right;
    std::memcpy(&left, a + i, sizeof left);
    std::memcpy(&right, b + i, sizeof right);
    alternate(left, right, to + 2 * i);
  }
}

// At each of `count` positions, to[i * groups + g] = from[g * each + i].
template <typename Vector, typename Element>
inline __attribute__((always_inline)) void exchange_run(const Element* from, int64_t count,
                                                        int64_t groups, int64_t each, Element* to) {
  for (int64_t p = 0; p < count; ++p, from += groups * each, to += groups * each) {
    if (groups == 2) {
      alternate_runs<Vector>(from, from + each, each, to);
      continue;
    }
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t i = 0; i < each; ++i) to[i * groups + g] = from[g * each + i];
    }
  }
}

FETTLE_VECTORIZED
void exchange_1(const uint8_t* from, int64_t count, int64_t groups, int64_t each, uint8_t* to) {
  exchange_run<Bytes16>(from, count, groups, each, to);
}

FETTLE_VECTORIZED
void exchange_4(const uint32_t* from, int64_t count, int64_t groups, int64_t each, uint32_t* to) {
  exchange_run<Words4>(from, count, groups, each, to);
}

// Elements of `width` bytes, 1 or 4: other types have no layouts of their own.
void exchange_elements(const std::byte* from, size_t width, int64_t count, int64_t groups,
                       int64_t each, std::byte* to) {
  if (width == 1) {
    exchange_1(reinterpret_cast<const uint8_t*>(from), count, groups, each,
               reinterpret_cast<uint8_t*>(to));
  } else {
    exchange_4(reinterpret_cast<const uint32_t*>(from), count, groups, each,
               reinterpret_cast<uint32_t*>(to));
  }
}

class ChannelShuffle : public AcceleratedKernel {
 public:
  // `split` and `joined` as the two Reshapes give them, with 0 and -1 for extents to find.
  ChannelShuffle(ir::Dims split, ir::Dims joined)
      : split_(std::move(split)), joined_(std::move(joined)) {}

  bool run(Call& call) override {
    const size_t width = element_width(call.type(0));
    if (width == 0 || call.dims(0)->size() != 4) return false;
    if (*call.dims(0) != dims_ || width != width_) {
      width_ = 0;
      if (!arrange(*call.dims(0), width)) return false;
      dims_ = *call.dims(0);
      width_ = width;
    }
    if (const Blocked* own = call.blocked(0)) {
      auto out = is_channels_last(*own) ? exchanged(*own) : gather_channels({own}, picks_);
      if (out) {
        call.set(0, std::move(*out));
        return true;
      }
    }
    const ir::Tensor& in = *call.tensor(0);
    ir::Tensor out(in.type(), dims_);
    copy_.run(in.bytes(), out.mutable_bytes());
    call.set(0, std::move(out));
    return true;
  }

 private:
  // True when `shape` is `dims` with some of its entries left to find.
  static bool stands_for(const ir::Dims& shape, const ir::Dims& dims, const ir::Dims& in) {
    if (shape.size() != dims.size()) return false;
    bool open = false;
    for (size_t k = 0; k < shape.size(); ++k) {
      if (shape[k] == -1) {
        if (open) return false;
        open = true;
      } else if (shape[k] == 0 ? k >= in.size() || in[k] != dims[k] : shape[k] != dims[k]) {
        return false;
      }
    }
    return true;
  }

  bool arrange(const ir::Dims& in, size_t width) {
    if (split_.size() != 5 || ir::element_count(in) == 0) return false;
    int64_t groups = split_[1];
    if (groups == -1 && split_[2] > 0) groups = in[1] / split_[2];
    if (groups < 1 || in[1] % groups != 0) return false;
    const int64_t each = in[1] / groups;
    const ir::Dims split{in[0], groups, each, in[2], in[3]};
    const ir::Dims shuffled{in[0], each, groups, in[2], in[3]};
    if (!stands_for(split_, split, in) || !stands_for(joined_, in, shuffled)) return false;
    groups_ = groups;
    picks_.clear();
    for (int64_t c = 0; c < in[1]; ++c) picks_.push_back({0, c % groups * each + c / groups});
    const int64_t positions = in[2] * in[3];
    copy_ = BoxCopy(width, {{in[0], in[1] * positions, in[1] * positions},
                            {each, positions, groups * positions},
                            {groups, each * positions, positions},
                            {positions, 1, 1}});
    return true;
  }

  static bool is_channels_last(const Blocked& x) {
    return x.desc == channels_last_desc(x.dims(), x.type);
  }

  // The result for an operand with channels last.
  std::optional<Blocked> exchanged(const Blocked& x) const {
    Blocked out = allocate_blocked(x.desc, x.type);
    const int64_t rows = dims_[0] * dims_[2];
    const int64_t row = dims_[1] * dims_[3];
    for_each_row(rows, row, [&](int64_t r) {
      const auto at = static_cast<size_t>(r * row) * width_;
      const std::byte* from = x.buffer->data() + at;
      std::byte* to = out.buffer->mutable_data() + at;
      exchange_elements(from, width_, dims_[3], groups_, dims_[1] / groups_, to);
    });
    return out;
  }

  ir::Dims split_;
  ir::Dims joined_;
  ir::Dims dims_;  // of the operand that the rest is prepared for
  size_t width_ = 0;
  int64_t groups_ = 1;
  std::vector<ChannelPick> picks_;
  BoxCopy copy_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_channel_shuffle(ir::Dims split, ir::Dims joined) {
  return std::make_unique<ChannelShuffle>(std::move(split), std::move(joined));
}

}  // namespace fettle::interp
