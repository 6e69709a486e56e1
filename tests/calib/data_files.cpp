#include "calib/data_files.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "ir/error.h"

namespace fettle::test {
namespace {

void put(std::string& out, uint64_t value, int width) {
  for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::string deflated(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// The fields that local and central headers share: flags to the name's length.
void put_common(std::string& out, const ZipPart& part, const std::string& stored) {
  put(out, 0, 2);
  put(out, part.deflate ? 8 : 0, 2);
  put(out, 0, 4);
  put(out,
      crc32(0, reinterpret_cast<const Bytef*>(part.bytes.data()),
            static_cast<uInt>(part.bytes.size())),
      4);
  put(out, stored.size(), 4);
  put(out, part.bytes.size(), 4);
  put(out, part.name.size(), 2);
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "fettle-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

ir::Tensor counting(const ir::Dims& dims) {
  ir::Tensor tensor(ir::DataType::kFloat, dims);
  float next = 0;
  for (float& element : tensor.mutable_data<float>()) element = next++;
  return tensor;
}

ir::Tensor waves(const ir::Dims& dims, double offset) {
  ir::Tensor t(ir::DataType::kFloat, dims);
  auto values = t.mutable_data<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(offset + std::sin(0.37 * static_cast<double>(i * i % 1009)));
  }
  return t;
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& data,
                bool fortran, int version) {
  std::string header = "{'descr': '" + descr +
                       "', 'fortran_order': " + (fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }";
  const size_t preamble = version == 1 ? 10 : 12;
  header.append(63 - (preamble + header.size()) % 64, ' ');
  header += '\n';
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  put(out, header.size(), version == 1 ? 2 : 4);
  return out + header + data;
}

std::string npy(const ir::Tensor& tensor) {
  std::string shape = "(";
  for (const int64_t dim : tensor.dims()) shape += std::to_string(dim) + ",";
  const std::string descr = tensor.type() == ir::DataType::kFloat   ? "<f4"
                            : tensor.type() == ir::DataType::kInt64 ? "<i8"
                                                                    : "|u1";
  return npy(descr, shape + ")",
             std::string(reinterpret_cast<const char*>(tensor.bytes()), tensor.byte_size()));
}

std::string zip(const std::vector<ZipPart>& parts) {
  std::string out, directory;
  for (const ZipPart& part : parts) {
    const std::string stored = part.deflate ? deflated(part.bytes) : part.bytes;
    const size_t offset = out.size();
    put(out, 0x04034b50, 4);
    put(out, 20, 2);
    put_common(out, part, stored);
    put(out, 0, 2);
    out += part.name + stored;
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    put(directory, 20, 2);
    put_common(directory, part, stored);
    directory.append(12, '\0');  // extra and comment lengths, disk, attributes
    put(directory, offset, 4);
    directory += part.name;
  }
  const size_t start = out.size();
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, parts.size(), 2);
  put(out, parts.size(), 2);
  put(out, directory.size(), 4);
  put(out, start, 4);
  put(out, 0, 2);
  return out;
}

void write_hdf5(const std::filesystem::path& path, const std::function<void(hid_t file)>& fill) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  fill(file);
  EXPECT_GE(H5Fclose(file), 0);
}

void put_dataset(hid_t where, const std::string& name, const ir::Tensor& tensor,
                 const std::vector<hsize_t>& chunk, hid_t creation) {
  const hid_t type = tensor.type() == ir::DataType::kFloat ? H5T_NATIVE_FLOAT : H5T_NATIVE_INT64;
  const std::vector<hsize_t> dims(tensor.dims().begin(), tensor.dims().end());
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  if (creation == H5P_DEFAULT) creation = H5Pcreate(H5P_DATASET_CREATE);
  if (!chunk.empty()) H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t set = H5Dcreate2(where, name.c_str(), type, space, links, creation, H5P_DEFAULT);
  ASSERT_GE(set, 0) << name;
  if (tensor.size() > 0) {
    EXPECT_GE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.bytes()), 0);
  }
  H5Dclose(set);
  H5Pclose(links);
  H5Pclose(creation);
  H5Sclose(space);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_TRUE(e.code() == ErrorCode::kBadInput || e.code() == ErrorCode::kLimit) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "expected an error";
  return {};
}

}  // namespace fettle::test
