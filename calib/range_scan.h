// The range of a tensor's elements.
#pragma once

#include "calib/table.h"
#include "interp/element_range.h"
#include "ir/tensor.h"

namespace fettle::calib {

// Minimum and maximum of the finite elements, their number, and the number of NaN and infinite
// elements, of a tensor of any floating type. Without finite elements the range is [0, 0]. The
// result does not depend on the number of threads; -0 counts as 0.
TensorRange scan_range(const ir::Tensor& tensor);

// The same of what the executor has seen.
TensorRange tensor_range(const interp::ElementRange& range);

// `into` extended by what `more` has seen. Throws kLimit when a count overflows.
void merge_range(TensorRange& into, const TensorRange& more);

}  // namespace fettle::calib
