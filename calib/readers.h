// The readers behind open_dataset(), one per format. All throw kBadInput for files that are
// damaged or not of the format; none reads more than directories and headers before it is asked.
#pragma once

#include <filesystem>
#include <memory>

#include "calib/array.h"
#include "ir/model.h"

namespace fettle::calib {

// HDF5: every dataset of the file, by its path without the leading "/".
std::unique_ptr<ArrayFile> open_hdf5(const std::filesystem::path& path);
// NPZ: a zip archive of .npy files, by key.
std::unique_ptr<ArrayFile> open_npz(const std::filesystem::path& path);
// NPY: one array, named "".
std::unique_ptr<ArrayFile> open_npy(const std::filesystem::path& path);
// A folder of .npy files, by file name without the extension.
std::unique_ptr<ArrayFile> open_npy_folder(const std::filesystem::path& path);
// A folder of ONNX test data sets (test_data_set_N/input_K.pb), or one such set: stacked arrays
// named after the model's inputs, which the files match by position.
std::unique_ptr<ArrayFile> open_test_data_sets(const std::filesystem::path& path,
                                               const ir::Model& model);

}  // namespace fettle::calib
