// The range of the elements of tensors.
#pragma once

#include <cstdint>

#include "ir/tensor.h"

namespace fettle::interp {

// Minimum and maximum of the finite elements, their number, and the number of NaN and infinite
// ones. Without finite elements the range is [0, 0]; -0 counts as 0.
struct ElementRange {
  float min = 0;
  float max = 0;
  int64_t count = 0;
  int64_t non_finite = 0;
};

// Of a tensor of any floating type, on all threads. Does not depend on their number.
ElementRange scan_range(const ir::Tensor& tensor);
// Adds n elements, on the calling thread.
void add_elements(const float* x, int64_t n, ElementRange& range);
// Adds what `more` has seen.
void merge(ElementRange& into, const ElementRange& more);

}  // namespace fettle::interp
