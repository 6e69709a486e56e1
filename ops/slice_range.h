// Which elements of an axis Slice takes.
#pragma once

#include <cstdint>

namespace fettle::ops {

// The elements start, start + step, ... (count of them) of one axis.
struct SliceRange {
  int64_t start = 0;
  int64_t count = 0;
  int64_t step = 1;
};

// Clamps as the specification of Slice says; safe for all of int64. Throws kBadInput for step 0.
SliceRange slice_range(int64_t start, int64_t end, int64_t step, int64_t extent);

}  // namespace fettle::ops
