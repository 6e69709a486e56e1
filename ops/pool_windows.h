// The cells of a pool's windows that lie inside the input.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/window.h"

namespace fettle::ops {

// Walks the windows of one map [input spatial] in row-major order of output positions. Windows are
// clipped to the input beforehand, so the work is bounded by the cells that exist.
class PoolWindows {
 public:
  // Requires that the output has elements (its extents bound the memory used).
  explicit PoolWindows(const Window& window);

  // Calls at(position, taps_inside, taps_padded) for each output position before its cells, then
  // cells(offset, count, step) for each run of `count` cells `step` apart, then done(position).
  // taps_padded counts the taps that lie inside the input or its padding.
  template <typename At, typename Cells, typename Done>
  void for_each(At&& at, Cells&& cells, Done&& done) const;

 private:
  // Along one axis, for one output position.
  struct Range {
    int64_t first = 0;   // input position of the first tap inside
    int64_t inside = 0;  // taps inside the input
    int64_t padded = 0;  // taps inside the padded input
  };

  template <typename Cells>
  void visit(const std::vector<const Range*>& ranges, Cells& cells) const;

  size_t rank_;
  int64_t outputs_;
  ir::Dims output_;
  std::vector<int64_t> in_strides_;
  std::vector<int64_t> steps_;  // offset between taps along an axis
  std::vector<std::vector<Range>> ranges_;
};

template <typename Cells>
void PoolWindows::visit(const std::vector<const Range*>& ranges, Cells& cells) const {
  int64_t offset = 0;
  for (size_t a = 0; a < rank_; ++a) offset += ranges[a]->first * in_strides_[a];
  std::vector<int64_t> tap(rank_, 0);
  for (;;) {
    cells(offset, ranges[rank_ - 1]->inside, steps_[rank_ - 1]);
    size_t a = rank_ - 1;
    for (; a-- > 0;) {
      offset += steps_[a];
      if (++tap[a] < ranges[a]->inside) break;
      offset -= steps_[a] * tap[a];
      tap[a] = 0;
    }
    if (a == static_cast<size_t>(-1)) return;
  }
}

template <typename At, typename Cells, typename Done>
void PoolWindows::for_each(At&& at, Cells&& cells, Done&& done) const {
  std::vector<int64_t> index(rank_, 0);
  std::vector<const Range*> ranges(rank_);
  for (int64_t position = 0; position < outputs_; ++position) {
    int64_t inside = 1;
    int64_t padded = 1;
    for (size_t a = 0; a < rank_; ++a) {
      ranges[a] = &ranges_[a][static_cast<size_t>(index[a])];
      inside *= ranges[a]->inside;
      padded *= ranges[a]->padded;
    }
    at(position, inside, padded);
    if (inside > 0) visit(ranges, cells);
    done(position);
    for (size_t a = rank_; a-- > 0;) {
      if (++index[a] < output_[a]) break;
      index[a] = 0;
    }
  }
}

}  // namespace fettle::ops
