// A tensor seen as [outer, length, inner] around one axis.
#pragma once

#include "ops/kernel_context.h"

namespace fettle::ops {

struct AxisView {
  int64_t outer = 1;   // product of the dimensions before the axis
  int64_t length = 1;  // extent of the axis
  int64_t inner = 1;   // product of the dimensions behind it: the stride along the axis
};

// `axis` lies in [0, rank).
inline AxisView view_along(const ir::Dims& dims, int64_t axis) {
  const auto at = dims.begin() + axis;
  return {ir::element_count(ir::Dims(dims.begin(), at)), *at,
          ir::element_count(ir::Dims(at + 1, dims.end()))};
}

}  // namespace fettle::ops
