// Element types of HDF5 datasets.
#pragma once

#include <cstddef>
#include <string>

#include "calib/hdf5_handle.h"
#include "ir/data_type.h"

namespace fettle::calib {

struct Hdf5Type {
  ir::DataType element = ir::DataType::kUndefined;
  bool big_endian = false;
};

// The standard integers and IEEE floats of either byte order, and h5py's bool (an enumeration over
// one byte). Anything else throws kBadInput: fettle converts no unusual layouts, and so never hands
// a type from a file to HDF5's conversion code.
Hdf5Type read_hdf5_type(hid_t type, const std::string& dataset);

// Stored elements to native ones, in place: byte order, and bool to 0 or 1.
void to_native(const Hdf5Type& type, std::byte* elements, size_t bytes);

}  // namespace fettle::calib
