// One dataset of an HDF5 file, read by hyperslabs.
#pragma once

#include <memory>
#include <string>

#include "calib/array.h"
#include "calib/hdf5_handle.h"

namespace fettle::calib {

// Opens the dataset at `name` (a path without the leading "/") of `file`, which the array keeps
// open. Requires a live Hdf5Guard. Throws kBadInput for data outside the file, filters other than
// deflate, shuffle and fletcher32, elements that are not numbers, ranks above 8, chunks above
// 256 MiB and extents that the stored bytes cannot hold.
std::unique_ptr<Array> open_hdf5_array(std::shared_ptr<Hdf5Handle> file, const std::string& name);

}  // namespace fettle::calib
