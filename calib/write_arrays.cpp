#include "calib/write_arrays.h"

#include <hdf5.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "ir/error.h"
#include "ir/io.h"

namespace fettle::calib {
namespace {

namespace fs = std::filesystem;

// How one output is laid out in its array.
struct Layout {
  std::string name;
  ir::DataType type;
  ir::Dims run_dims;  // of one run
  ir::Dims dims;      // of the whole array
};

std::string npy_type(const Layout& layout) {
  switch (layout.type) {
    case ir::DataType::kFloat: return "<f4";
    case ir::DataType::kDouble: return "<f8";
    case ir::DataType::kFloat16: return "<f2";
    case ir::DataType::kInt64: return "<i8";
    case ir::DataType::kInt32: return "<i4";
    case ir::DataType::kInt16: return "<i2";
    case ir::DataType::kInt8: return "|i1";
    case ir::DataType::kUint64: return "<u8";
    case ir::DataType::kUint32: return "<u4";
    case ir::DataType::kUint16: return "<u2";
    case ir::DataType::kUint8: return "|u1";
    case ir::DataType::kBool: return "|b1";
    default:
      fail(ErrorCode::kUnsupported, "output '{}' of type {} cannot be stored as an array",
           layout.name, ir::data_type_name(layout.type));
  }
}

std::vector<Layout> layouts(const ArraySource& source) {
  FETTLE_ASSERT(source.runs > 0);
  const auto first = source.read(0);
  FETTLE_ASSERT(first.size() == source.names.size());
  const auto runs = static_cast<int64_t>(source.runs);
  std::vector<Layout> result;
  for (size_t i = 0; i < first.size(); ++i) {
    if (!first[i].defined()) {
      fail(ErrorCode::kUnsupported, "output '{}' is not a numeric tensor and cannot be stored",
           source.names[i]);
    }
    Layout layout{source.names[i], first[i].type(), first[i].dims(), first[i].dims()};
    npy_type(layout);
    const bool joined = !source.whole && !layout.dims.empty() && layout.dims[0] == source.batch;
    if (joined) {
      layout.dims[0] *= runs;
    } else {
      layout.dims.insert(layout.dims.begin(), runs);
    }
    result.push_back(std::move(layout));
  }
  return result;
}

// The tensors of one run, checked against the layouts.
std::vector<ir::Tensor> checked_run(const ArraySource& source, const std::vector<Layout>& all,
                                    size_t run) {
  auto tensors = source.read(run);
  for (size_t i = 0; i < all.size(); ++i) {
    if (tensors[i].type() == all[i].type && tensors[i].dims() == all[i].run_dims) continue;
    fail(ErrorCode::kUnsupported,
         "output '{}' has shape {} in run 0 but {} in run {}, so the runs do not form one array",
         all[i].name, ir::to_string(all[i].run_dims), ir::to_string(tensors[i].dims()), run);
  }
  return tensors;
}

std::string npy_header(const Layout& layout) {
  std::string shape = "(";
  for (const int64_t d : layout.dims) shape += std::to_string(d) + ",";
  shape += ")";
  std::string text = "{'descr': '" + npy_type(layout) + "', 'fortran_order': False, 'shape': " + shape + ", }";
  const size_t preamble = 10;
  text.append(63 - (preamble + text.size()) % 64, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// A zip archive of stored (uncompressed) members, always with zip64 sizes.
class ZipWriter {
 public:
  explicit ZipWriter(const fs::path& path) : file_(path, std::ios::binary) {}

  void begin(const std::string& name) {
    current_ = {name, static_cast<uint64_t>(file_.tellp()), 0, crc32(0, nullptr, 0)};
    file_ << local_header(current_);
  }
  void write(const void* bytes, size_t size) {
    file_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
    const auto* at = static_cast<const Bytef*>(bytes);
    for (size_t done = 0; done < size;) {
      const auto part = static_cast<uInt>(std::min<size_t>(size - done, 1u << 30));
      current_.crc = crc32(current_.crc, at + done, part);
      done += part;
    }
    current_.size += size;
  }
  void end() {
    const auto here = file_.tellp();
    file_.seekp(static_cast<std::streamoff>(current_.offset));
    file_ << local_header(current_);
    file_.seekp(here);
    members_.push_back(current_);
  }
  // Writes the central directory; false when anything failed to be written.
  bool finish() {
    const auto start = static_cast<uint64_t>(file_.tellp());
    for (const Member& m : members_) file_ << central_header(m);
    const auto size = static_cast<uint64_t>(file_.tellp()) - start;
    std::string end;
    put(end, 0x06064b50, 4);  // zip64 end of central directory
    put(end, 44, 8);
    put(end, 45, 2);
    put(end, 45, 2);
    put(end, 0, 8);
    put(end, members_.size(), 8);
    put(end, members_.size(), 8);
    put(end, size, 8);
    put(end, start, 8);
    put(end, 0x07064b50, 4);  // its locator
    put(end, 0, 4);
    put(end, start + size, 8);
    put(end, 1, 4);
    put(end, 0x06054b50, 4);  // end of central directory
    put(end, 0, 4);
    put(end, std::min<size_t>(members_.size(), 0xffff), 2);
    put(end, std::min<size_t>(members_.size(), 0xffff), 2);
    put(end, 0xffffffff, 4);
    put(end, 0xffffffff, 4);
    put(end, 0, 2);
    file_ << end;
    file_.flush();
    return file_.good();
  }

 private:
  struct Member {
    std::string name;
    uint64_t offset = 0;
    uint64_t size = 0;
    uLong crc = 0;
  };
  static void common(std::string& h, const Member& m, size_t extra) {
    put(h, 0, 2);           // flags
    put(h, 0, 2);           // stored
    put(h, 0, 2);           // time and date: 1 January 1980, always
    put(h, 0x21, 2);
    put(h, m.crc, 4);
    put(h, 0xffffffff, 4);  // sizes stand in the zip64 field
    put(h, 0xffffffff, 4);
    put(h, m.name.size(), 2);
    put(h, extra, 2);
  }
  static std::string local_header(const Member& m) {
    std::string h;
    put(h, 0x04034b50, 4);
    put(h, 45, 2);
    common(h, m, 20);
    h += m.name;
    put(h, 1, 2);
    put(h, 16, 2);
    put(h, m.size, 8);
    put(h, m.size, 8);
    return h;
  }
  static std::string central_header(const Member& m) {
    std::string h;
    put(h, 0x02014b50, 4);
    put(h, 45, 2);
    put(h, 45, 2);
    common(h, m, 28);
    put(h, 0, 2);           // comment
    put(h, 0, 2);           // disk
    put(h, 0, 2);           // attributes
    put(h, 0, 4);
    put(h, 0xffffffff, 4);  // offset stands in the zip64 field
    h += m.name;
    put(h, 1, 2);
    put(h, 24, 2);
    put(h, m.size, 8);
    put(h, m.size, 8);
    put(h, m.offset, 8);
    return h;
  }

  std::ofstream file_;
  std::vector<Member> members_;
  Member current_;
};

bool write_npz(const fs::path& path, const ArraySource& source, const std::vector<Layout>& all) {
  ZipWriter zip(path);
  for (size_t i = 0; i < all.size(); ++i) {
    zip.begin(all[i].name + ".npy");
    const std::string header = npy_header(all[i]);
    zip.write(header.data(), header.size());
    for (size_t run = 0; run < source.runs; ++run) {
      const ir::Tensor t = checked_run(source, all, run)[i];
      zip.write(t.bytes(), t.byte_size());
    }
    zip.end();
  }
  return zip.finish();
}

bool write_npy(const fs::path& path, const ArraySource& source, const std::vector<Layout>& all) {
  std::ofstream file(path, std::ios::binary);
  file << npy_header(all[0]);
  for (size_t run = 0; run < source.runs; ++run) {
    const ir::Tensor t = checked_run(source, all, run)[0];
    file.write(reinterpret_cast<const char*>(t.bytes()), static_cast<std::streamsize>(t.byte_size()));
  }
  file.flush();
  return file.good();
}

hid_t hdf5_type(const Layout& layout) {
  switch (layout.type) {
    case ir::DataType::kFloat: return H5Tcopy(H5T_IEEE_F32LE);
    case ir::DataType::kDouble: return H5Tcopy(H5T_IEEE_F64LE);
    case ir::DataType::kInt64: return H5Tcopy(H5T_STD_I64LE);
    case ir::DataType::kInt32: return H5Tcopy(H5T_STD_I32LE);
    case ir::DataType::kInt16: return H5Tcopy(H5T_STD_I16LE);
    case ir::DataType::kInt8: return H5Tcopy(H5T_STD_I8LE);
    case ir::DataType::kUint64: return H5Tcopy(H5T_STD_U64LE);
    case ir::DataType::kUint32: return H5Tcopy(H5T_STD_U32LE);
    case ir::DataType::kUint16: return H5Tcopy(H5T_STD_U16LE);
    case ir::DataType::kUint8: return H5Tcopy(H5T_STD_U8LE);
    case ir::DataType::kBool: return H5Tcopy(H5T_STD_U8LE);
    default: break;
  }
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);  // float16 as h5py spells it
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  return half;
}

bool write_hdf5_array(hid_t file, const ArraySource& source, const std::vector<Layout>& all, size_t i) {
  const Layout& layout = all[i];
  const std::vector<hsize_t> dims(layout.dims.begin(), layout.dims.end());
  const hid_t type = hdf5_type(layout);
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t set = H5Dcreate2(file, layout.name.c_str(), type, space, links, H5P_DEFAULT, H5P_DEFAULT);
  bool good = set >= 0;
  const auto per_run = static_cast<hsize_t>(layout.dims[0] / static_cast<int64_t>(source.runs));
  for (size_t run = 0; run < source.runs && good; ++run) {
    const ir::Tensor t = checked_run(source, all, run)[i];
    if (t.size() == 0) continue;
    std::vector<hsize_t> start(dims.size(), 0);
    std::vector<hsize_t> count = dims;
    start[0] = run * per_run;
    count[0] = per_run;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const hid_t memory = H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr);
    good = H5Dwrite(set, type, memory, space, H5P_DEFAULT, t.bytes()) >= 0;
    H5Sclose(memory);
  }
  if (set >= 0) H5Dclose(set);
  H5Pclose(links);
  H5Sclose(space);
  H5Tclose(type);
  return good;
}

bool write_hdf5(const fs::path& path, const ArraySource& source, const std::vector<Layout>& all) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (file < 0) return false;
  bool good = true;
  for (size_t i = 0; i < all.size() && good; ++i) good = write_hdf5_array(file, source, all, i);
  return H5Fclose(file) >= 0 && good;
}

}  // namespace

void check_array_path(const fs::path& path, size_t arrays) {
  const std::string extension = path.extension().string();
  const bool hdf5 = extension == ".h5" || extension == ".hdf5";
  if (!hdf5 && extension != ".npz" && extension != ".npy") {
    fail(ErrorCode::kUsage, "cannot store arrays as '{}'; name a file that ends in .npz, .npy or .h5",
         path.string());
  }
  if (extension == ".npy" && arrays != 1) {
    fail(ErrorCode::kUsage, "the model has {} outputs and .npy holds one; use .npz or .h5", arrays);
  }
}

std::vector<ir::Dims> write_arrays(const fs::path& path, const ArraySource& source) {
  check_array_path(path, source.names.size());
  const std::string extension = path.extension().string();
  const std::vector<Layout> all = layouts(source);
  const fs::path target = ir::write_target(path);
  const fs::path temporary =
      target.parent_path() / ("." + target.filename().string() + ".tmp." + std::to_string(getpid()));
  std::error_code error;
  try {
    errno = 0;
    const bool hdf5 = extension == ".h5" || extension == ".hdf5";
    const bool good = hdf5                  ? write_hdf5(temporary, source, all)
                      : extension == ".npz" ? write_npz(temporary, source, all)
                                            : write_npy(temporary, source, all);
    if (!good) {
      fail(ErrorCode::kBadInput, "cannot write '{}': {}", path.string(),
           errno != 0 ? std::strerror(errno) : "is the folder writable and the disk not full?");
    }
    fs::rename(temporary, target);
  } catch (...) {
    fs::remove(temporary, error);
    throw;
  }
  std::vector<ir::Dims> shapes;
  for (const Layout& layout : all) shapes.push_back(layout.dims);
  return shapes;
}

}  // namespace fettle::calib
