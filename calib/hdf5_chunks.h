// Reading a chunked dataset chunk by chunk.
//
// Chunks are fetched as stored and unpacked here, every size checked: libhdf5 1.10 trusts the sizes
// in the file when it unpacks chunks, so that a damaged file makes it read beyond its buffers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "calib/hdf5_filters.h"
#include "calib/hdf5_handle.h"
#include "ir/tensor.h"

namespace fettle::calib {

class Hdf5Chunks {
 public:
  // `dims` and `width` (bytes of an element) describe the dataset. Throws kBadInput for chunks
  // above 256 MiB and for unknown filters. Requires a live Hdf5Guard.
  Hdf5Chunks(hid_t dataset, hid_t creation, ir::Dims dims, size_t width, std::string name);

  // Copies rows [first, first + count) of axis 0, as stored, to `out`. Unpacked chunks are kept
  // while rows of them may follow, up to 256 MiB. Requires a live Hdf5Guard.
  void read(hid_t dataset, int64_t first, int64_t count, std::byte* out);

 private:
  using Index = std::vector<int64_t>;  // position in the grid of chunks
  const std::vector<std::byte>& chunk(hid_t dataset, const Index& index);
  std::vector<std::byte> unpack(hid_t dataset, const Index& index) const;
  void copy_rows(const std::vector<std::byte>& chunk, const Index& index, int64_t first,
                 int64_t count, std::byte* out) const;

  std::string name_;
  ir::Dims dims_;
  ir::Dims extents_;  // of a chunk
  Index grid_;        // chunks along each axis
  size_t width_;
  size_t chunk_bytes_ = 0;
  std::vector<Hdf5Filter> filters_;
  std::vector<std::byte> fill_;  // one element, for chunks that were never written
  std::map<Index, std::vector<std::byte>> unpacked_;
};

}  // namespace fettle::calib
