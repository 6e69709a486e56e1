// Which scale belongs to which element: per tensor, per axis or blocked.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ir/tensor.h"

namespace fettle::ops {

class ScaleLayout {
 public:
  // `scale` are the dimensions of scale (and zero point): one element for per-tensor, [x[axis]] for
  // per-axis, those of `x` with ceil(x[axis] / block_size) along `axis` for blocked (block_size >
  // 0). `axis` may be negative; it is not looked at per tensor. Throws kBadInput for anything else.
  ScaleLayout(const ir::Dims& x, const ir::Dims& scale, int64_t axis, int64_t block_size);

  // Calls run(begin, count, scale_begin, scale_step) for pieces of at most kPiece elements that
  // cover x in order: element begin + i has scale number scale_begin + i * scale_step.
  template <typename Run>
  void for_each_piece(Run&& run) const;
  static constexpr int64_t kPiece = 512;

 private:
  template <typename Run>
  static void split(int64_t begin, int64_t count, int64_t scale, int64_t step, Run& run) {
    for (int64_t done = 0; done < count; done += kPiece) {
      run(begin + done, std::min(kPiece, count - done), scale + done * step, step);
    }
  }

  // x seen as [outer, extent, inner]; scales as [outer, ceil(extent / block), inner] when blocked,
  // else [extent]. Per tensor is extent = 1.
  int64_t outer_ = 1;
  int64_t extent_ = 1;
  int64_t inner_ = 1;
  int64_t block_ = 0;
};

template <typename Run>
void ScaleLayout::for_each_piece(Run&& run) const {
  if (outer_ == 0 || extent_ == 0 || inner_ == 0) return;
  const int64_t blocks = block_ == 0 ? 0 : (extent_ - 1) / block_ + 1;
  for (int64_t o = 0; o < outer_; ++o) {
    if (inner_ == 1 && block_ == 0 && extent_ > 1) {
      split(o * extent_, extent_, 0, 1, run);
      continue;
    }
    // Positions along the axis that share their scales and lie together in memory.
    const int64_t joined = inner_ == 1 && block_ > 0 ? block_ : 1;
    for (int64_t c = 0; c < extent_; c += joined) {
      const int64_t count = std::min(joined, extent_ - c) * inner_;
      const int64_t begin = (o * extent_ + c) * inner_;
      if (block_ == 0) {
        split(begin, count, c, 0, run);
      } else {
        split(begin, count, (o * blocks + c / block_) * inner_, inner_ == 1 ? 0 : 1, run);
      }
    }
  }
}

}  // namespace fettle::ops
