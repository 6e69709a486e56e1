#include "calib/hdf5_array.h"

#include <array>
#include <optional>
#include <vector>

#include "calib/hdf5_chunks.h"
#include "calib/hdf5_type.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr int kMaxRank = 8;
// DEFLATE packs at most about 1030 to 1.
constexpr uint64_t kMaxExpansion = 1100;

ir::Dims extent_of(hid_t space, const std::string& name) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) {
    fail(ErrorCode::kBadInput, "dataset '{}' is empty: it has no shape", name);
  }
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) fail_hdf5("read the shape of '" + name + "'");
  if (rank > kMaxRank) {
    fail(ErrorCode::kBadInput, "dataset '{}' has {} dimensions; at most {} are accepted", name,
         rank, kMaxRank);
  }
  std::array<hsize_t, kMaxRank> extents{};
  if (H5Sget_simple_extent_dims(space, extents.data(), nullptr) < 0) {
    fail_hdf5("read the shape of '" + name + "'");
  }
  ir::Dims dims;
  for (int axis = 0; axis < rank; ++axis) {
    const hsize_t extent = extents[static_cast<size_t>(axis)];
    if (extent > static_cast<hsize_t>(INT64_MAX)) {
      fail(ErrorCode::kLimit, "dataset '{}' has a dimension of {}", name, extent);
    }
    dims.push_back(static_cast<int64_t>(extent));
  }
  return dims;
}

// Extents cost nothing in a file; elements that no stored bytes stand for would be read as fill
// values for ever. Only chunks can be compressed.
void check_storage(hid_t dataset, const ir::Dims& dims, ir::DataType type, bool chunked,
                   const std::string& name) {
  const uint64_t bytes = ir::data_type_bytes(type, ir::element_count(dims));
  const uint64_t stored = H5Dget_storage_size(dataset);
  if (bytes == 0 || (chunked ? bytes / kMaxExpansion : bytes) <= stored) {
    if (bytes == 0 || stored > 0) return;
  }
  fail(ErrorCode::kBadInput,
       "dataset '{}' announces {} bytes ({}) but only {} are stored; write all of its samples",
       name, bytes, ir::to_string(dims), stored);
}

// Throws for layouts whose data lie elsewhere; true for chunks.
bool check_layout(hid_t creation, const std::string& name) {
  const H5D_layout_t layout = H5Pget_layout(creation);
  if (layout == H5D_VIRTUAL) {
    fail(ErrorCode::kBadInput,
         "dataset '{}' is virtual: its data lie in other files; write it as a plain dataset", name);
  }
  if (H5Pget_external_count(creation) != 0) {
    fail(ErrorCode::kBadInput,
         "dataset '{}' keeps its data in another file, which is refused for safety; write it as a "
         "plain dataset",
         name);
  }
  if (layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS && layout != H5D_COMPACT) {
    fail_hdf5("read the layout of '" + name + "'");
  }
  return layout == H5D_CHUNKED;
}

class Hdf5Array : public Array {
 public:
  Hdf5Array(std::string name, ir::Dims dims, Hdf5Type type, std::shared_ptr<Hdf5Handle> file,
            Hdf5Handle dataset, std::optional<Hdf5Chunks> chunks)
      : Array(std::move(name), type.element, std::move(dims)),
        file_(std::move(file)),
        dataset_(std::move(dataset)),
        type_(type),
        chunks_(std::move(chunks)) {}

  ir::Tensor read(int64_t first, int64_t count) override {
    FETTLE_ASSERT(!dims().empty() && first >= 0 && count >= 0 && first + count <= dims()[0]);
    ir::Dims wanted = dims();
    wanted[0] = count;
    return read_slab(first, std::move(wanted));
  }

  ir::Tensor read_all() override { return read_slab(0, dims()); }

 private:
  ir::Tensor read_slab(int64_t first, ir::Dims wanted) {
    const Hdf5Guard guard;
    ir::Tensor out(type(), std::move(wanted));
    if (out.size() == 0) return out;
    if (chunks_) {
      chunks_->read(dataset_.get(), first, out.dims()[0], out.mutable_bytes());
    } else {
      read_plain(first, out);
    }
    to_native(type_, out.mutable_bytes(), out.byte_size());
    return out;
  }

  // Contiguous or compact. The type in memory is the stored one: nothing is converted.
  void read_plain(int64_t first, ir::Tensor& out) {
    const Hdf5Handle space(H5Dget_space(dataset_.get()), H5Sclose);
    const Hdf5Handle type(H5Dget_type(dataset_.get()), H5Tclose);
    if (!space.valid() || !type.valid()) fail_hdf5("read '" + name() + "'");
    Hdf5Handle memory(H5Screate(H5S_SCALAR), H5Sclose);
    if (!out.dims().empty()) {
      std::vector<hsize_t> start(out.rank(), 0), extent(out.dims().begin(), out.dims().end());
      start[0] = static_cast<hsize_t>(first);
      memory = Hdf5Handle(H5Screate_simple(static_cast<int>(out.rank()), extent.data(), nullptr),
                          H5Sclose);
      if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(),
                              nullptr) < 0) {
        fail_hdf5("select rows of '" + name() + "'");
      }
    }
    if (H5Dread(dataset_.get(), type.get(), memory.get(), space.get(), H5P_DEFAULT,
                out.mutable_bytes()) < 0) {
      fail_hdf5("read '" + name() + "'");
    }
  }

  std::shared_ptr<Hdf5Handle> file_;
  Hdf5Handle dataset_;
  Hdf5Type type_;
  std::optional<Hdf5Chunks> chunks_;
};

}  // namespace

std::unique_ptr<Array> open_hdf5_array(std::shared_ptr<Hdf5Handle> file, const std::string& name) {
  Hdf5Handle dataset(H5Dopen2(file->get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail_hdf5("open dataset '" + name + "'");
  const Hdf5Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose);
  const Hdf5Handle stored_type(H5Dget_type(dataset.get()), H5Tclose);
  const Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
  if (!creation.valid() || !stored_type.valid() || !space.valid()) {
    fail_hdf5("describe '" + name + "'");
  }
  const bool chunked = check_layout(creation.get(), name);
  ir::Dims dims = extent_of(space.get(), name);
  const Hdf5Type type = read_hdf5_type(stored_type.get(), name);
  check_storage(dataset.get(), dims, type.element, chunked, name);
  std::optional<Hdf5Chunks> chunks;
  if (chunked) {
    chunks.emplace(dataset.get(), creation.get(), dims, ir::data_type_bytes(type.element, 1), name);
  }
  return std::make_unique<Hdf5Array>(name, std::move(dims), type, std::move(file),
                                     std::move(dataset), std::move(chunks));
}

}  // namespace fettle::calib
