// Inner loops of box copies, for elements of 1, 2, 4, 8 and 16 bytes.
#pragma once

#include "interp/box_copy.h"

namespace fettle::interp {

using BoxRows = void (*)(const std::byte* from, std::byte* to, const BoxPlane& plane, int64_t begin,
                         int64_t end);

// Rows of `plane.run` contiguous bytes on both sides.
void copy_runs(const std::byte* from, std::byte* to, const BoxPlane& plane, int64_t begin,
               int64_t end);
// The loops for elements of `width` bytes that do not lie side by side on both sides: repeated
// elements, interleaved rows, transpositions (a row is contiguous in the output and a column in the
// input), strided elements.
BoxRows element_rows(size_t width, const BoxPlane& plane);

}  // namespace fettle::interp
