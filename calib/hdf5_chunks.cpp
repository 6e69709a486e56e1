#include "calib/hdf5_chunks.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ir/buffer.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr int kMaxRank = 8;
constexpr uint64_t kMaxChunk = uint64_t{256} << 20;

// Advances `index` within [begin, end) of every axis, the last axis fastest; false at the end.
bool advance(std::vector<int64_t>& index, const std::vector<int64_t>& begin,
             const std::vector<int64_t>& end) {
  for (size_t axis = index.size(); axis-- > 0;) {
    if (++index[axis] < end[axis]) return true;
    index[axis] = begin[axis];
  }
  return false;
}

}  // namespace

Hdf5Chunks::Hdf5Chunks(hid_t dataset, hid_t creation, ir::Dims dims, size_t width, std::string name)
    : name_(std::move(name)),
      dims_(std::move(dims)),
      width_(width),
      filters_(read_hdf5_filters(creation, name_)),
      fill_(width) {
  std::array<hsize_t, kMaxRank> extents{};
  const int rank = H5Pget_chunk(creation, kMaxRank, extents.data());
  if (rank != static_cast<int>(dims_.size())) fail_hdf5("read the chunk shape of '" + name_ + "'");
  uint64_t bytes = width;
  for (size_t axis = 0; axis < dims_.size(); ++axis) {
    if (extents[axis] == 0 || __builtin_mul_overflow(bytes, extents[axis], &bytes) ||
        bytes > kMaxChunk) {
      fail(ErrorCode::kBadInput,
           "dataset '{}' is stored in chunks of more than {} bytes; use chunks of a few samples",
           name_, kMaxChunk);
    }
    const auto extent = static_cast<int64_t>(extents[axis]);
    extents_.push_back(extent);
    grid_.push_back(dims_[axis] / extent + (dims_[axis] % extent != 0 ? 1 : 0));
  }
  chunk_bytes_ = static_cast<size_t>(bytes);
  const Hdf5Handle type(H5Dget_type(dataset), H5Tclose);
  if (!type.valid() || H5Tget_size(type.get()) != width_ ||
      H5Pget_fill_value(creation, type.get(), fill_.data()) < 0) {
    fail_hdf5("read the fill value of '" + name_ + "'");
  }
}

std::vector<std::byte> Hdf5Chunks::unpack(hid_t dataset, const Index& index) const {
  std::vector<hsize_t> offset;
  for (size_t axis = 0; axis < index.size(); ++axis) {
    offset.push_back(static_cast<hsize_t>(index[axis] * extents_[axis]));
  }
  hsize_t stored = 0;  // stays 0 for a chunk that was never written
  unsigned skipped = 0;
  haddr_t address = HADDR_UNDEF;
  if (H5Dget_chunk_info_by_coord(dataset, offset.data(), &skipped, &address, &stored) < 0) {
    fail_hdf5("find a chunk of '" + name_ + "'");
  }
  if (stored == 0) {
    std::vector<std::byte> chunk(chunk_bytes_);
    for (size_t at = 0; at < chunk_bytes_; at += width_) {
      std::memcpy(chunk.data() + at, fill_.data(), width_);
    }
    return chunk;
  }
  // Data that cannot be compressed grow a little.
  if (stored > chunk_bytes_ + chunk_bytes_ / 8 + 4096) {
    fail(ErrorCode::kBadInput, "dataset '{}' has a chunk of {} stored bytes for {}: it is damaged",
         name_, stored, chunk_bytes_);
  }
  std::vector<std::byte> chunk(static_cast<size_t>(stored));
  uint32_t mask = skipped;
  if (H5Dread_chunk(dataset, H5P_DEFAULT, offset.data(), &mask, chunk.data()) < 0) {
    fail_hdf5("read a chunk of '" + name_ + "'");
  }
  return undo_filters(std::move(chunk), filters_, mask, chunk_bytes_);
}

const std::vector<std::byte>& Hdf5Chunks::chunk(hid_t dataset, const Index& index) {
  const auto found = unpacked_.find(index);
  if (found != unpacked_.end()) return found->second;
  // Chunks of earlier rows come first in the order of the map.
  while (!unpacked_.empty() && (unpacked_.begin()->first[0] != index[0] ||
                                (unpacked_.size() + 1) * chunk_bytes_ > kMaxChunk)) {
    unpacked_.erase(unpacked_.begin());
  }
  ir::require_memory(2 * chunk_bytes_);
  return unpacked_.emplace(index, unpack(dataset, index)).first->second;
}

// Copies the part of the chunk that lies in the wanted rows, run by run of the last axis.
void Hdf5Chunks::copy_rows(const std::vector<std::byte>& chunk, const Index& index, int64_t first,
                           int64_t count, std::byte* out) const {
  const size_t rank = dims_.size();
  std::vector<int64_t> begin(rank), end(rank);  // in the dataset
  for (size_t axis = 0; axis < rank; ++axis) {
    begin[axis] = index[axis] * extents_[axis];
    end[axis] = std::min(begin[axis] + extents_[axis], dims_[axis]);
  }
  begin[0] = std::max(begin[0], first);
  end[0] = std::min(end[0], first + count);
  const auto run = static_cast<size_t>(end[rank - 1] - begin[rank - 1]) * width_;
  std::vector<int64_t> run_end = end;
  run_end[rank - 1] = begin[rank - 1] + 1;
  std::vector<int64_t> at = begin;
  do {
    int64_t source = 0, target = 0;
    for (size_t axis = 0; axis < rank; ++axis) {
      source = source * extents_[axis] + at[axis] - index[axis] * extents_[axis];
      target = target * dims_[axis] + at[axis] - (axis == 0 ? first : 0);
    }
    std::memcpy(out + static_cast<size_t>(target) * width_,
                chunk.data() + static_cast<size_t>(source) * width_, run);
  } while (advance(at, begin, run_end));
}

void Hdf5Chunks::read(hid_t dataset, int64_t first, int64_t count, std::byte* out) {
  Index begin(dims_.size(), 0), end = grid_;
  begin[0] = first / extents_[0];
  end[0] = (first + count - 1) / extents_[0] + 1;
  Index index = begin;
  do {
    copy_rows(chunk(dataset, index), index, first, count, out);
  } while (advance(index, begin, end));
}

}  // namespace fettle::calib
