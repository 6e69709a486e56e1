// Whether an array's shape suits an input, and what to tell the user when it does not.
#pragma once

#include <string>

#include "ir/type.h"

namespace fettle::calib {

// True when every known dimension of `shape` from axis `begin` on equals that of `dims`; the ranks
// must be equal.
bool dims_fit(const ir::Shape& shape, const ir::Dims& dims, size_t begin = 0);
// "[samples, 1, 8, 8]": the shape that an array of samples must have for an input of this shape.
std::string sample_shape(const ir::Shape& shape);
// What is probably wrong with `dims` and what to do, as "; ..."; empty when nothing comes to mind.
std::string shape_hint(const ir::Shape& shape, const ir::Dims& dims);

}  // namespace fettle::calib
