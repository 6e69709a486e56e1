// Copies of boxes of elements between tensors with arbitrary strides.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/tensor.h"

namespace fettle::ops {

// Where a box of elements lies in a tensor: the offset of its first element and the distance
// between neighbors along each axis, in elements. Strides may be zero or negative.
struct Layout {
  int64_t offset = 0;
  std::vector<int64_t> strides;
};

// out[to + sum i_k * to.strides[k]] = in[from + sum i_k * from.strides[k]] for every index i of
// `extent`. Both tensors have the same element type, not a sub-byte one; the caller answers for
// the box lying inside both. Contiguous runs are moved as blocks, transpositions in tiles.
void copy_box(const ir::Tensor& in, const Layout& from, ir::Tensor& out, const Layout& to,
              const ir::Dims& extent);

}  // namespace fettle::ops
