#include "calib/hdf5_array.h"

#include <algorithm>
#include <array>
#include <vector>

#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr int kMaxRank = 8;
constexpr uint64_t kMaxChunk = uint64_t{256} << 20;
constexpr uint64_t kMinCache = uint64_t{1} << 20;
// DEFLATE packs at most about 1030 to 1.
constexpr uint64_t kMaxExpansion = 1100;

struct MemoryType {
  ir::DataType element;
  hid_t native;  // a predefined type, or invalid: the dataset's own (enum) type
};

// h5py stores bool as an enumeration over int8.
MemoryType memory_type(hid_t type, const std::string& name) {
  const size_t size = H5Tget_size(type);
  const H5T_class_t kind = H5Tget_class(type);
  const bool is_signed = kind == H5T_INTEGER && H5Tget_sign(type) != H5T_SGN_NONE;
  if (kind == H5T_INTEGER) {
    switch (size) {
      case 1: return is_signed ? MemoryType{ir::DataType::kInt8, H5T_NATIVE_INT8}
                               : MemoryType{ir::DataType::kUint8, H5T_NATIVE_UINT8};
      case 2: return is_signed ? MemoryType{ir::DataType::kInt16, H5T_NATIVE_INT16}
                               : MemoryType{ir::DataType::kUint16, H5T_NATIVE_UINT16};
      case 4: return is_signed ? MemoryType{ir::DataType::kInt32, H5T_NATIVE_INT32}
                               : MemoryType{ir::DataType::kUint32, H5T_NATIVE_UINT32};
      case 8: return is_signed ? MemoryType{ir::DataType::kInt64, H5T_NATIVE_INT64}
                               : MemoryType{ir::DataType::kUint64, H5T_NATIVE_UINT64};
      default: break;
    }
  }
  // 16-bit floats of any layout widen to float without loss.
  if (kind == H5T_FLOAT && size <= 4) return {ir::DataType::kFloat, H5T_NATIVE_FLOAT};
  if (kind == H5T_FLOAT && size == 8) return {ir::DataType::kDouble, H5T_NATIVE_DOUBLE};
  if (kind == H5T_ENUM && size == 1) return {ir::DataType::kBool, H5I_INVALID_HID};
  fail(ErrorCode::kBadInput,
       "dataset '{}' holds elements that are not integers, bool or floats of up to 64 bits; "
       "convert them to float32",
       name);
}

ir::Dims extent_of(hid_t space, const std::string& name) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) {
    fail(ErrorCode::kBadInput, "dataset '{}' is empty: it has no shape", name);
  }
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) fail_hdf5("read the shape of '" + name + "'");
  if (rank > kMaxRank) {
    fail(ErrorCode::kBadInput, "dataset '{}' has {} dimensions; at most {} are accepted", name, rank,
         kMaxRank);
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
  ir::element_count(dims);  // throws on overflow
  return dims;
}

void check_filters(hid_t creation, const std::string& name) {
  const int count = H5Pget_nfilters(creation);
  if (count < 0) fail_hdf5("read the filters of '" + name + "'");
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    std::array<char, 64> label{};
    const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values,
                                               nullptr, label.size(), label.data(), &config);
    if (filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE ||
        filter == H5Z_FILTER_FLETCHER32) {
      continue;
    }
    label.back() = '\0';
    fail(ErrorCode::kBadInput,
         "dataset '{}' is compressed with filter {} '{}', which is not accepted; write it with "
         "gzip (deflate) or uncompressed",
         name, static_cast<int>(filter), label.data());
  }
}

uint64_t product(const std::vector<uint64_t>& factors, const std::string& name) {
  uint64_t result = 1;
  for (const uint64_t factor : factors) {
    if (__builtin_mul_overflow(result, factor, &result)) {
      fail(ErrorCode::kLimit, "dataset '{}' is too large to be counted", name);
    }
  }
  return result;
}

// Checks the chunk size and returns the bytes of all chunks that hold one sample: a cache of this
// size decompresses each chunk once while samples are read in order.
uint64_t chunk_row_bytes(hid_t creation, const ir::Dims& dims, uint64_t width,
                         const std::string& name) {
  std::array<hsize_t, kMaxRank> extents{};
  const int rank = H5Pget_chunk(creation, kMaxRank, extents.data());
  if (rank != static_cast<int>(dims.size())) fail_hdf5("read the chunk shape of '" + name + "'");
  std::vector<uint64_t> factors{width};
  for (int axis = 0; axis < rank; ++axis) factors.push_back(extents[static_cast<size_t>(axis)]);
  const uint64_t chunk = product(factors, name);
  if (chunk == 0 || chunk > kMaxChunk) {
    fail(ErrorCode::kBadInput,
         "dataset '{}' is stored in chunks of {} bytes; at most {} are accepted: use chunks of a "
         "few samples",
         name, chunk, kMaxChunk);
  }
  factors = {chunk};
  for (size_t axis = 1; axis < dims.size(); ++axis) {
    const auto extent = static_cast<uint64_t>(dims[axis]);
    factors.push_back(extent / extents[axis] + (extent % extents[axis] != 0 ? 1 : 0));
  }
  return product(factors, name);
}

// Extents cost nothing in a file; elements that no stored bytes stand for would be read as fill
// values for ever.
void check_storage(hid_t dataset, const ir::Dims& dims, uint64_t width, const std::string& name) {
  const uint64_t bytes = product({static_cast<uint64_t>(ir::element_count(dims)), width}, name);
  const uint64_t stored = H5Dget_storage_size(dataset);
  if (bytes > 0 && bytes / kMaxExpansion > stored) {
    fail(ErrorCode::kBadInput,
         "dataset '{}' announces {} bytes ({}) but only {} are stored; write all of its samples",
         name, bytes, ir::to_string(dims), stored);
  }
}

class Hdf5Array : public Array {
 public:
  Hdf5Array(std::string name, ir::Dims dims, MemoryType type, std::shared_ptr<Hdf5Handle> file,
            Hdf5Handle dataset)
      : Array(std::move(name), type.element, std::move(dims)), file_(std::move(file)),
        dataset_(std::move(dataset)), native_(type.native) {}

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
    const Hdf5Handle space(H5Dget_space(dataset_.get()), H5Sclose);
    if (!space.valid()) fail_hdf5("read '" + name() + "'");
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
    const Hdf5Handle own(H5Dget_type(dataset_.get()), H5Tclose);
    const hid_t memory_type = native_ >= 0 ? native_ : own.get();
    if (H5Dread(dataset_.get(), memory_type, memory.get(), space.get(), H5P_DEFAULT,
                out.mutable_bytes()) < 0) {
      fail_hdf5("read '" + name() + "'");
    }
    if (type() == ir::DataType::kBool) {
      for (uint8_t& element : bytes_of(out)) element = element != 0 ? 1 : 0;
    }
    return out;
  }

  static std::span<uint8_t> bytes_of(ir::Tensor& tensor) {
    return {reinterpret_cast<uint8_t*>(tensor.mutable_bytes()), tensor.byte_size()};
  }

  std::shared_ptr<Hdf5Handle> file_;
  Hdf5Handle dataset_;
  hid_t native_;
};

// Opens once more with a chunk cache that fits the chunks of one sample.
Hdf5Handle open_with_cache(hid_t file, const std::string& name, uint64_t row_bytes) {
  const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  const uint64_t bytes = std::clamp(row_bytes, kMinCache, kMaxChunk);
  H5Pset_chunk_cache(access.get(), 12421, static_cast<size_t>(bytes), 1.0);
  return {H5Dopen2(file, name.c_str(), access.get()), H5Dclose};
}

}  // namespace

std::unique_ptr<Array> open_hdf5_array(std::shared_ptr<Hdf5Handle> file, const std::string& name) {
  Hdf5Handle dataset(H5Dopen2(file->get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail_hdf5("open dataset '" + name + "'");
  const Hdf5Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose);
  const Hdf5Handle type(H5Dget_type(dataset.get()), H5Tclose);
  const Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
  if (!creation.valid() || !type.valid() || !space.valid()) fail_hdf5("describe '" + name + "'");
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  if (layout == H5D_VIRTUAL) {
    fail(ErrorCode::kBadInput,
         "dataset '{}' is virtual: its data lie in other files; write it as a plain dataset", name);
  }
  if (H5Pget_external_count(creation.get()) != 0) {
    fail(ErrorCode::kBadInput,
         "dataset '{}' keeps its data in another file, which is refused for safety; write it as a "
         "plain dataset",
         name);
  }
  ir::Dims dims = extent_of(space.get(), name);
  const MemoryType memory = memory_type(type.get(), name);
  check_filters(creation.get(), name);
  const uint64_t width = H5Tget_size(type.get());
  check_storage(dataset.get(), dims, width, name);
  if (layout == H5D_CHUNKED) {
    const uint64_t row = chunk_row_bytes(creation.get(), dims, width, name);
    dataset = Hdf5Handle();  // the cache is set when a dataset is first opened
    dataset = open_with_cache(file->get(), name, row);
    if (!dataset.valid()) fail_hdf5("open dataset '" + name + "'");
  }
  return std::make_unique<Hdf5Array>(name, std::move(dims), memory, std::move(file),
                                     std::move(dataset));
}

}  // namespace fettle::calib
