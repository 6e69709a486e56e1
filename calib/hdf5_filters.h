// The inverse of HDF5's built-in filters, applied to one stored chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "calib/hdf5_handle.h"

namespace fettle::calib {

struct Hdf5Filter {
  H5Z_filter_t id = 0;
  unsigned parameter = 0;  // element size of shuffle
};

// The filters of a dataset in the order in which they were applied. Throws kBadInput for others
// than deflate, shuffle and fletcher32.
std::vector<Hdf5Filter> read_hdf5_filters(hid_t creation, const std::string& dataset);

// Undoes the filters on `chunk`, last one first, leaving out those whose bit is set in `skipped`.
// Throws kBadInput unless the result has exactly `size` bytes and every checksum is right.
std::vector<std::byte> undo_filters(std::vector<std::byte> chunk,
                                    const std::vector<Hdf5Filter>& filters, uint32_t skipped,
                                    size_t size);

}  // namespace fettle::calib
