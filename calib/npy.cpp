#include "calib/npy.h"

#include <algorithm>
#include <cstring>

#include "calib/file.h"
#include "calib/npy_header.h"
#include "calib/readers.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

// Mapped pages are given back after this many bytes have been read.
constexpr size_t kReleaseEvery = size_t{32} << 20;

class NpyArray : public Array {
 public:
  NpyArray(std::string name, NpyHeader header, std::shared_ptr<ir::Buffer> buffer, size_t offset)
      : Array(std::move(name), header.type, header.dims),
        header_(std::move(header)),
        buffer_(std::move(buffer)),
        data_(buffer_->data() + offset + header_.data_offset),
        width_(ir::data_type_bytes(header_.type, 1)) {}

  ir::Tensor read(int64_t first, int64_t count) override {
    FETTLE_ASSERT(!dims().empty() && first >= 0 && count >= 0 && first + count <= dims()[0]);
    ir::Dims dims_read = dims();
    dims_read[0] = count;
    ir::Tensor rows(type(), std::move(dims_read));
    if (rows.size() > 0) fill(rows, first);
    touched_ += rows.byte_size();
    if (touched_ >= kReleaseEvery) {
      buffer_->release_pages();
      touched_ = 0;
    }
    return rows;
  }

  ir::Tensor read_all() override {
    if (!dims().empty()) return read(0, dims()[0]);
    ir::Tensor scalar(type(), {});
    fill(scalar, 0);
    return scalar;
  }

 private:
  void fill(ir::Tensor& rows, int64_t first) {
    std::byte* out = rows.mutable_bytes();
    const size_t bytes = rows.byte_size();
    if (header_.fortran_order && dims().size() > 1) {
      gather(rows.dims(), first, out);
    } else {
      const size_t row = dims().empty() ? bytes : bytes / static_cast<size_t>(rows.dims()[0]);
      std::memcpy(out, data_ + static_cast<size_t>(first) * row, bytes);
    }
    if (header_.big_endian && width_ > 1) {
      for (size_t i = 0; i < bytes; i += width_) std::reverse(out + i, out + i + width_);
    }
    if (type() == ir::DataType::kBool) {
      for (size_t i = 0; i < bytes; ++i) out[i] = std::byte(out[i] != std::byte{0} ? 1 : 0);
    }
  }

  // Copies column-major elements into row-major order: the element at index (i0, i1, ...) lies at
  // i0 + d0 * (i1 + d1 * (i2 + ...)).
  void gather(const ir::Dims& extents, int64_t first, std::byte* out) const {
    const size_t rank = extents.size();
    std::vector<int64_t> strides(rank, 1);
    for (size_t axis = 1; axis < rank; ++axis) strides[axis] = strides[axis - 1] * dims()[axis - 1];
    std::vector<int64_t> index(rank, 0);
    int64_t at = first;
    const int64_t total = ir::element_count(extents);
    for (int64_t i = 0; i < total; ++i) {
      std::memcpy(out, data_ + static_cast<size_t>(at) * width_, width_);
      out += width_;
      for (size_t axis = rank; axis-- > 0;) {
        at += strides[axis];
        if (++index[axis] < extents[axis]) break;
        at -= strides[axis] * extents[axis];
        index[axis] = 0;
      }
    }
  }

  NpyHeader header_;
  std::shared_ptr<ir::Buffer> buffer_;
  const std::byte* data_;
  size_t width_;
  size_t touched_ = 0;
};

class NpyFile : public ArrayFile {
 public:
  explicit NpyFile(std::shared_ptr<ir::Buffer> buffer) : buffer_(std::move(buffer)) {}
  const std::vector<std::string>& names() const override { return names_; }
  std::unique_ptr<Array> open(const std::string& name) override {
    return open_npy_array(name, buffer_, 0, buffer_->size());
  }

 private:
  std::shared_ptr<ir::Buffer> buffer_;
  std::vector<std::string> names_{""};
};

}  // namespace

std::unique_ptr<Array> open_npy_array(std::string name, std::shared_ptr<ir::Buffer> buffer,
                                      size_t offset, size_t size) {
  FETTLE_ASSERT(offset <= buffer->size() && size <= buffer->size() - offset);
  NpyHeader header = parse_npy_header({buffer->data() + offset, size});
  const size_t need = ir::data_type_bytes(header.type, ir::element_count(header.dims));
  const size_t have = size - header.data_offset;
  if (need != have) {
    fail(
        ErrorCode::kBadInput,
        "the NPY header announces {} {}, which takes {} bytes, but {} bytes follow: the file is {}",
        ir::data_type_name(header.type), ir::to_string(header.dims), need, have,
        have < need ? "truncated" : "damaged");
  }
  return std::make_unique<NpyArray>(std::move(name), std::move(header), std::move(buffer), offset);
}

std::unique_ptr<ArrayFile> open_npy(const std::filesystem::path& path) {
  auto file = std::make_unique<NpyFile>(map_file(path));
  file->open("");  // reports damage now
  return file;
}

}  // namespace fettle::calib
