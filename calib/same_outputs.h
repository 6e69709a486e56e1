// Whether runs of several samples gave what runs of single ones did.
#pragma once

#include <cstdint>
#include <vector>

#include "calib/table.h"
#include "ir/tensor.h"

namespace fettle::calib {

// `singles` are tensors of numbers with one row each (dim 0 is 1), `together` has as many rows.
// True when types and other dims are the same and all numbers equal within 1e-4 of the range of the
// singles (or 1e-6 of their largest magnitude); NaN equals NaN, and integers must be equal.
bool same_rows(const std::vector<ir::Tensor>& singles, const ir::Tensor& together);

// `single` was observed over `singles` samples, `together` over these and more, `count` in all.
// True when the same values were seen, their sizes are as the numbers of samples, and the wider ranges
// hold the others, within 1e-4 of their width.
bool ranges_agree(const Ranges& single, int64_t singles, const Ranges& together, int64_t count);

}  // namespace fettle::calib
