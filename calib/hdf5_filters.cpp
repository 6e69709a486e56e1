#include "calib/hdf5_filters.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr size_t kChecksumSize = 4;
constexpr int kMaxFilters = 32;  // bits of a chunk's mask

[[noreturn]] void damaged(std::string_view what) {
  fail(ErrorCode::kBadInput, "a chunk of the HDF5 file is damaged ({}); write the file again",
       what);
}

// At most `limit` bytes; a stream that holds more is damaged.
std::vector<std::byte> inflate_chunk(const std::vector<std::byte>& in, size_t limit) {
  std::vector<std::byte> out(limit);
  uLongf size = out.size();
  const int status = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                reinterpret_cast<const Bytef*>(in.data()), in.size());
  if (status != Z_OK) damaged("its compressed data");
  out.resize(size);
  return out;
}

// Shuffle stores byte 0 of all elements, then byte 1, ...; bytes beyond the last whole element
// follow unchanged.
std::vector<std::byte> unshuffle(const std::vector<std::byte>& in, size_t width) {
  if (width <= 1) return in;
  std::vector<std::byte> out(in.size());
  const size_t count = in.size() / width;
  for (size_t byte = 0; byte < width; ++byte) {
    const std::byte* plane = in.data() + byte * count;
    for (size_t i = 0; i < count; ++i) out[i * width + byte] = plane[i];
  }
  std::copy(in.begin() + static_cast<std::ptrdiff_t>(count * width), in.end(),
            out.begin() + static_cast<std::ptrdiff_t>(count * width));
  return out;
}

// Fletcher's checksum over big-endian 16-bit words, as the HDF5 file format specifies it; an odd
// last byte is the upper half of a word.
uint32_t fletcher32(const std::byte* data, size_t size) {
  constexpr size_t kBlock = 360;  // words that can be summed before 32 bits overflow
  uint32_t sum1 = 0, sum2 = 0;
  for (size_t words = size / 2; words > 0;) {
    const size_t block = std::min(words, kBlock);
    for (size_t i = 0; i < block; ++i, data += 2) {
      sum1 += static_cast<uint32_t>(data[0]) << 8 | static_cast<uint32_t>(data[1]);
      sum2 += sum1;
    }
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    words -= block;
  }
  if (size % 2 != 0) {
    sum1 += static_cast<uint32_t>(data[0]) << 8;
    sum2 += sum1;
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
  }
  sum1 = (sum1 & 0xffff) + (sum1 >> 16);
  sum2 = (sum2 & 0xffff) + (sum2 >> 16);
  return sum2 << 16 | sum1;
}

// HDF5 before 1.6.3 stored the checksum with the bytes of each half swapped on little-endian
// machines; the library accepts both forms.
uint32_t swapped_halves(uint32_t sum) {
  return (sum & 0x00ff00ffu) << 8 | (sum & 0xff00ff00u) >> 8;
}

void strip_checksum(std::vector<std::byte>& chunk) {
  if (chunk.size() < kChecksumSize) damaged("its checksum is missing");
  const size_t size = chunk.size() - kChecksumSize;
  uint32_t stored = 0;
  for (size_t i = kChecksumSize; i-- > 0;)
    stored = stored << 8 | static_cast<uint32_t>(chunk[size + i]);
  const uint32_t sum = fletcher32(chunk.data(), size);
  if (stored != sum && stored != swapped_halves(sum)) damaged("its checksum");
  chunk.resize(size);
}

}  // namespace

std::vector<Hdf5Filter> read_hdf5_filters(hid_t creation, const std::string& dataset) {
  const int count = H5Pget_nfilters(creation);
  if (count < 0 || count > kMaxFilters) fail_hdf5("read the filters of '" + dataset + "'");
  std::vector<Hdf5Filter> filters;
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    std::array<unsigned, 8> values{};
    size_t value_count = values.size();
    std::array<char, 64> label{};
    const H5Z_filter_t id = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &value_count,
                                           values.data(), label.size(), label.data(), &config);
    if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32) {
      label.back() = '\0';
      fail(ErrorCode::kBadInput,
           "dataset '{}' is compressed with filter {} '{}', which is not accepted; write it with "
           "gzip (deflate) or uncompressed",
           dataset, static_cast<int>(id), label.data());
    }
    filters.push_back({id, values[0]});
  }
  return filters;
}

std::vector<std::byte> undo_filters(std::vector<std::byte> chunk,
                                    const std::vector<Hdf5Filter>& filters, uint32_t skipped,
                                    size_t size) {
  const size_t limit = size + kChecksumSize * filters.size();
  for (size_t i = filters.size(); i-- > 0;) {
    if ((skipped >> i & 1u) != 0) continue;
    if (filters[i].id == H5Z_FILTER_DEFLATE) {
      chunk = inflate_chunk(chunk, limit);
    } else if (filters[i].id == H5Z_FILTER_SHUFFLE) {
      chunk = unshuffle(chunk, filters[i].parameter);
    } else {
      strip_checksum(chunk);
    }
  }
  if (chunk.size() != size) damaged("its size");
  return chunk;
}

}  // namespace fettle::calib
