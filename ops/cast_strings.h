// Numbers to strings and back, for Cast.
#pragma once

#include "ir/tensor.h"

namespace fettle::ops {

// Decimal text of every element of a plain numeric or bool tensor: the shortest that reads back
// equal; "NaN", "INF", "-INF"; "0" and "1" for bool.
ir::Tensor strings_of(const ir::Tensor& numbers);
// The numbers written in `strings`, for conversion to `to`: int64 or uint64 when that is an integer
// type, else double. Surrounding spaces are allowed. Throws kBadInput for text that is no number.
ir::Tensor numbers_in(const ir::Tensor& strings, ir::DataType to);

}  // namespace fettle::ops
