// Bringing stored elements to the element type that a model input has.
#pragma once

#include <cstdint>
#include <string>

#include "ir/tensor.h"

namespace fettle::calib {

// True when elements of type `from` may be given to an input of type `to`: equal types, any
// floating type to any other (rounding to nearest even), integers and bool to floating types and
// to integers where every value fits. Whether it fits is checked per element by convert().
bool convertible(ir::DataType from, ir::DataType to);

// `tensor` with element type `to`; the same bytes when the type is already right. Throws kBadInput
// naming `array` and the element for a value that `to` cannot hold: an integer out of range, an
// integer beyond the consecutive ones of a floating type (2^24 for float), a real that overflows.
ir::Tensor convert(const ir::Tensor& tensor, ir::DataType to, const std::string& array);

// Index of the first NaN or infinity, or -1. Integers have none.
int64_t find_non_finite(const ir::Tensor& tensor);

}  // namespace fettle::calib
