// What an HDF5 file holds: the paths of its datasets.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "calib/hdf5_handle.h"

namespace fettle::calib {

struct Hdf5Index {
  std::vector<std::string> names;              // every dataset and link, sorted within its group
  std::map<std::string, std::string> refused;  // links that are not followed: name -> what it is
};

// Walks the groups reachable by hard links, each once. Requires a live Hdf5Guard. Throws kLimit for
// more than a million objects, kBadInput for damage.
Hdf5Index index_hdf5(hid_t file);

}  // namespace fettle::calib
