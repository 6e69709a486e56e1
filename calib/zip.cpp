#include "calib/zip.h"

#include <zlib.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "calib/file.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr size_t kLocalSize = 30;
constexpr size_t kCentralSize = 46;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kLocator64Size = 20;
constexpr uint64_t kMaxEntries = 1'000'000;
constexpr uint32_t kNoValue32 = 0xffffffff;  // "see the zip64 extra field"

// A member that unpacks to more than this must not be denser than kMaxRatio; DEFLATE itself ends
// at about 1030.
constexpr uint64_t kRatioFloor = uint64_t{64} << 20;
constexpr uint64_t kMaxRatio = 200;
constexpr uint64_t kMaxMember = uint64_t{64} << 30;
constexpr size_t kChunk = size_t{256} << 10;

[[noreturn]] void damaged(std::string_view what) {
  fail(ErrorCode::kBadInput, "the zip archive is damaged or truncated ({}); write it again", what);
}

// Little-endian fields of the archive; every access is checked against its end.
class Bytes {
 public:
  explicit Bytes(const ir::Buffer& archive) : data_(archive.data()), size_(archive.size()) {}
  uint64_t size() const { return size_; }
  void require(uint64_t offset, uint64_t count, std::string_view what) const {
    if (offset > size_ || count > size_ - offset) damaged(what);
  }
  uint64_t field(uint64_t offset, size_t width) const {
    require(offset, width, "a header reaches beyond the end");
    uint64_t value = 0;
    for (size_t i = width; i-- > 0;) value = value << 8 | static_cast<uint64_t>(data_[offset + i]);
    return value;
  }
  uint16_t u16(uint64_t offset) const { return static_cast<uint16_t>(field(offset, 2)); }
  uint32_t u32(uint64_t offset) const { return static_cast<uint32_t>(field(offset, 4)); }
  uint64_t u64(uint64_t offset) const { return field(offset, 8); }
  std::string text(uint64_t offset, size_t count) const {
    require(offset, count, "a name reaches beyond the end");
    return {reinterpret_cast<const char*>(data_ + offset), count};
  }

 private:
  const std::byte* data_;
  uint64_t size_;
};

struct Directory {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t entries = 0;
};

// The end record stands last, followed by a comment of at most 65535 bytes.
uint64_t find_end_record(const Bytes& bytes) {
  if (bytes.size() < kEndSize) damaged("it is too short");
  const uint64_t last = bytes.size() - kEndSize;
  const uint64_t first = last > 0xffff ? last - 0xffff : 0;
  for (uint64_t at = last + 1; at-- > first;) {
    if (bytes.u32(at) == kEndSignature && at + kEndSize + bytes.u16(at + 20) == bytes.size()) {
      return at;
    }
  }
  damaged("its directory is missing");
}

Directory find_directory(const Bytes& bytes) {
  const uint64_t end = find_end_record(bytes);
  if (bytes.u16(end + 4) != 0 || bytes.u16(end + 6) != 0) damaged("it is split over several disks");
  Directory found{bytes.u32(end + 16), bytes.u32(end + 12), bytes.u16(end + 10)};
  const bool zip64 =
      found.offset == kNoValue32 || found.size == kNoValue32 || found.entries == 0xffff;
  if (zip64 && end >= kLocator64Size && bytes.u32(end - kLocator64Size) == kLocator64Signature) {
    const uint64_t record = bytes.u64(end - kLocator64Size + 8);
    bytes.require(record, kEnd64Size, "its zip64 record is missing");
    if (bytes.u32(record) != kEnd64Signature) damaged("its zip64 record is missing");
    found = {bytes.u64(record + 48), bytes.u64(record + 40), bytes.u64(record + 32)};
  }
  bytes.require(found.offset, found.size, "its directory reaches beyond the end");
  if (found.entries > kMaxEntries || found.entries > found.size / kCentralSize) {
    damaged("its directory announces too many members");
  }
  return found;
}

// Replaces the 32-bit fields that are all ones by the zip64 extra field's, which come in the order
// uncompressed, compressed, local header offset.
void apply_zip64(const Bytes& bytes, uint64_t extra, size_t extra_size,
                 std::initializer_list<uint64_t*> fields) {
  const uint64_t end = extra + extra_size;
  for (uint64_t at = extra; at + 4 <= end;) {
    const uint16_t id = bytes.u16(at);
    const uint64_t next = at + 4 + bytes.u16(at + 2);
    if (next > end) damaged("an extra field is too long");
    at += 4;
    for (uint64_t* field : fields) {
      if (id != 1 || *field != kNoValue32) continue;
      if (at + 8 > next) damaged("a zip64 field is too short");
      *field = bytes.u64(at);
      at += 8;
    }
    at = next;
  }
}

// The local header repeats the directory; it must agree, or two readers would see two archives.
void check_local_header(const Bytes& bytes, uint64_t local, uint16_t method, ZipEntry& entry) {
  if (bytes.u32(local) != kLocalSignature) damaged("a member's header is missing");
  const uint16_t name_size = bytes.u16(local + 26);
  const uint16_t extra_size = bytes.u16(local + 28);
  if (bytes.text(local + kLocalSize, name_size) != entry.name || bytes.u16(local + 8) != method) {
    damaged("a member's header contradicts the directory");
  }
  const bool sizes_follow = (bytes.u16(local + 6) & 8u) != 0;  // in a data descriptor
  uint64_t uncompressed = bytes.u32(local + 22);
  uint64_t compressed = bytes.u32(local + 18);
  bytes.require(local + kLocalSize + name_size, extra_size, "a member's header is cut");
  apply_zip64(bytes, local + kLocalSize + name_size, extra_size, {&uncompressed, &compressed});
  if (!sizes_follow && (uncompressed != entry.uncompressed || compressed != entry.compressed)) {
    damaged("a member's sizes contradict the directory");
  }
  entry.data_offset = local + kLocalSize + name_size + extra_size;
  bytes.require(entry.data_offset, entry.compressed, "a member reaches beyond the end");
}

ZipEntry read_entry(const Bytes& bytes, uint64_t& at) {
  if (bytes.u32(at) != kCentralSignature) damaged("its directory is broken");
  const uint16_t flags = bytes.u16(at + 8);
  const uint16_t method = bytes.u16(at + 10);
  const uint16_t name_size = bytes.u16(at + 28);
  const uint16_t extra_size = bytes.u16(at + 30);
  ZipEntry entry;
  entry.name = bytes.text(at + kCentralSize, name_size);
  entry.deflated = method == 8;
  entry.crc = bytes.u32(at + 16);
  entry.compressed = bytes.u32(at + 20);
  entry.uncompressed = bytes.u32(at + 24);
  uint64_t local = bytes.u32(at + 42);
  bytes.require(at + kCentralSize + name_size, extra_size, "its directory is cut");
  apply_zip64(bytes, at + kCentralSize + name_size, extra_size,
              {&entry.uncompressed, &entry.compressed, &local});
  if ((flags & 1u) != 0) fail(ErrorCode::kBadInput, "member '{}' is encrypted", entry.name);
  if (method != 0 && method != 8) {
    fail(ErrorCode::kBadInput,
         "member '{}' uses zip compression method {}; expected stored or deflate, as numpy.savez "
         "and numpy.savez_compressed write",
         entry.name, method);
  }
  if (method == 0 && entry.compressed != entry.uncompressed) damaged("a stored member's sizes");
  check_local_header(bytes, local, method, entry);
  at += kCentralSize + name_size + extra_size + bytes.u16(at + 32);
  return entry;
}

void check_bomb(const ZipEntry& entry) {
  if (entry.uncompressed > kMaxMember ||
      (entry.uncompressed > kRatioFloor && entry.uncompressed / kMaxRatio > entry.compressed)) {
    fail(ErrorCode::kLimit,
         "member '{}' would unpack from {} to {} bytes, which is refused as a possible compression "
         "bomb; store it uncompressed (numpy.savez) if it is genuine",
         entry.name, entry.compressed, entry.uncompressed);
  }
}

uint32_t checksum(const std::byte* data, size_t size) {
  uLong crc = crc32(0, nullptr, 0);
  while (size > 0) {
    const size_t part = std::min(size, size_t{1} << 30);
    crc = crc32(crc, reinterpret_cast<const Bytef*>(data), static_cast<uInt>(part));
    data += part;
    size -= part;
  }
  return static_cast<uint32_t>(crc);
}

class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) {  // raw DEFLATE
      fail(ErrorCode::kLimit, "zlib cannot start: out of memory");
    }
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::shared_ptr<ir::Buffer> run(const std::byte* data, const ZipEntry& entry) {
    SpillFile out;
    std::vector<Bytef> chunk(kChunk);
    uint64_t left = entry.compressed, produced = 0;
    uLong crc = crc32(0, nullptr, 0);
    int status = Z_OK;
    while (status != Z_STREAM_END) {
      if (stream_.avail_in == 0 && left > 0) {
        const auto part = static_cast<uInt>(std::min<uint64_t>(left, kChunk));
        stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(data));
        stream_.avail_in = part;
        data += part;
        left -= part;
      }
      stream_.next_out = chunk.data();
      stream_.avail_out = static_cast<uInt>(chunk.size());
      status = inflate(&stream_, Z_NO_FLUSH);
      const size_t got = chunk.size() - stream_.avail_out;
      produced += got;
      if ((status != Z_OK && status != Z_STREAM_END) || produced > entry.uncompressed) {
        damaged("compressed member '" + entry.name + "'");
      }
      crc = crc32(crc, chunk.data(), static_cast<uInt>(got));
      out.append(chunk.data(), got);
    }
    if (produced != entry.uncompressed || static_cast<uint32_t>(crc) != entry.crc) {
      damaged("checksum of member '" + entry.name + "'");
    }
    return out.finish();
  }

 private:
  z_stream stream_{};
};

}  // namespace

std::vector<ZipEntry> read_zip_directory(const ir::Buffer& archive) {
  const Bytes bytes(archive);
  const Directory directory = find_directory(bytes);
  std::vector<ZipEntry> entries;
  std::set<std::string> names;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    entries.push_back(read_entry(bytes, at));
    if (!names.insert(entries.back().name).second) {
      fail(ErrorCode::kBadInput, "two members of the archive are named '{}'", entries.back().name);
    }
  }
  return entries;
}

ZipMember open_zip_member(const std::shared_ptr<ir::Buffer>& archive, const ZipEntry& entry) {
  const std::byte* data = archive->data() + entry.data_offset;
  if (entry.deflated) {
    check_bomb(entry);
    auto buffer = Inflater().run(data, entry);
    const size_t size = buffer->size();
    return {std::move(buffer), 0, std::min<size_t>(size, entry.uncompressed)};
  }
  const auto size = static_cast<size_t>(entry.uncompressed);
  if (checksum(data, size) != entry.crc) damaged("checksum of member '" + entry.name + "'");
  archive->release_pages();
  return {archive, static_cast<size_t>(entry.data_offset), size};
}

}  // namespace fettle::calib
