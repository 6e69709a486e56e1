// Writers of small data files, well-formed and not, for the tests of the readers.
#pragma once

#include <hdf5.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ir/tensor.h"

namespace fettle::test {

// A folder that is removed at the end of the test.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void write_bytes(const std::filesystem::path& path, const std::string& bytes);
std::string read_bytes(const std::filesystem::path& path);

// 0, 1, 2, ... as float.
ir::Tensor counting(const ir::Dims& dims);

// Numbers between -1 and 1, plus `offset`, as float.
ir::Tensor waves(const ir::Dims& dims, double offset = 0);

// NPY bytes: the header for `descr`, `shape` as Python writes it, then `data`.
std::string npy(const std::string& descr, const std::string& shape, const std::string& data,
                bool fortran = false, int version = 1);
// The same for a float, int64 or uint8 tensor.
std::string npy(const ir::Tensor& tensor);

struct ZipPart {
  std::string name;
  std::string bytes;
  bool deflate = false;
};
std::string zip(const std::vector<ZipPart>& parts);

// Creates an HDF5 file and lets `fill` write into it.
void write_hdf5(const std::filesystem::path& path, const std::function<void(hid_t file)>& fill);
// A dataset of a float or int64 tensor; `chunk` empty: contiguous. `creation` may carry more
// properties (consumed).
void put_dataset(hid_t where, const std::string& name, const ir::Tensor& tensor,
                 const std::vector<hsize_t>& chunk = {}, hid_t creation = H5P_DEFAULT);

// The message of the fettle::Error that `action` throws; fails the test when it throws none.
std::string error_of(const std::function<void()>& action);

}  // namespace fettle::test
