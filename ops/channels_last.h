// Layouts [N, C, spatial...] and [N, spatial..., C] of the operators that know both.
#pragma once

#include <algorithm>
#include <vector>

#include "ir/error.h"
#include "ir/graph.h"
#include "ir/tensor.h"

namespace fettle::ops {

// Whether the attribute channels_last is set.
inline bool has_channels_last(const ir::Node& node) {
  return node.attr_int("channels_last", 0) != 0;
}

// The dimensions with the channels moved from the end to axis 1. Throws kBadInput for rank < 2.
template <typename Dimension>
std::vector<Dimension> channels_moved_forward(std::vector<Dimension> dims) {
  if (dims.size() < 2) fail(ErrorCode::kBadInput, "expected rank >= 3, found {}", dims.size());
  std::rotate(dims.begin() + 1, dims.end() - 1, dims.end());
  return dims;
}
// The other way round.
template <typename Dimension>
std::vector<Dimension> channels_moved_back(std::vector<Dimension> dims) {
  if (dims.size() < 2) fail(ErrorCode::kBadInput, "expected rank >= 3, found {}", dims.size());
  std::rotate(dims.begin() + 1, dims.begin() + 2, dims.end());
  return dims;
}

// The tensor in the other layout. Throws kBadInput for elements of less than a byte too.
ir::Tensor channels_moved_forward(const ir::Tensor& tensor);
ir::Tensor channels_moved_back(const ir::Tensor& tensor);

}  // namespace fettle::ops
