// Stores the outputs of many runs as one array per output: the reverse of calib/dataset.h.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ir/tensor.h"

namespace fettle::calib {

// Where the runs come from. Tensors are fetched run by run, never all at once.
struct ArraySource {
  std::vector<std::string> names;
  size_t runs = 0;
  int64_t batch = 1;   // samples per run
  bool whole = false;  // true: every run's tensor becomes one entry along a new axis 0
  std::function<std::vector<ir::Tensor>(size_t run)> read;
};

// Throws kUsage unless `path` has an extension of write_arrays() that can hold so many arrays.
void check_array_path(const std::filesystem::path& path, size_t arrays);

// Writes `.npz`, `.npy` (one output) or `.h5`/`.hdf5`, atomically, and returns the shape of every
// stored array. Axis 0 is samples where a run's tensors have `batch` entries along their axis 0 (and
// `whole` is false); otherwise runs are stacked along a new axis 0. Throws as check_array_path(), and
// kUnsupported for outputs that are no numeric tensors or change shape between runs.
std::vector<ir::Dims> write_arrays(const std::filesystem::path& path, const ArraySource& source);

}  // namespace fettle::calib
