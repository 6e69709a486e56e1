// The header of the NPY format, versions 1.0 to 3.0 (numpy.lib.format).
#pragma once

#include <cstddef>
#include <span>

#include "ir/tensor.h"

namespace fettle::calib {

struct NpyHeader {
  ir::DataType type = ir::DataType::kUndefined;
  ir::Dims dims;
  bool big_endian = false;
  bool fortran_order = false;
  size_t data_offset = 0;  // bytes before the elements
};

// Parses the header at the start of `bytes` with a strict grammar. Throws kBadInput for damaged
// headers and for elements that are not plain numbers (Python objects, strings, records).
NpyHeader parse_npy_header(std::span<const std::byte> bytes);

}  // namespace fettle::calib
