// Reading zip archives: stored and deflated members, zip64, checksums; see APPNOTE.TXT of PKWARE.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/buffer.h"

namespace fettle::calib {

struct ZipEntry {
  std::string name;  // a key; never used as a path
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t compressed = 0;    // bytes in the archive
  uint64_t uncompressed = 0;  // bytes when unpacked
  uint64_t data_offset = 0;   // of the member's bytes in the archive
};

// Where a member's bytes are: in the archive itself when stored, else in a buffer of its own.
struct ZipMember {
  std::shared_ptr<ir::Buffer> buffer;
  size_t offset = 0;
  size_t size = 0;
};

// The members in the order of the central directory. Throws kBadInput for damaged archives, for
// encryption, other compression methods, names that repeat, and local headers that contradict the
// directory.
std::vector<ZipEntry> read_zip_directory(const ir::Buffer& archive);

// Unpacks one member into a temporary file when it is deflated; checks size and CRC-32. Throws
// kLimit for compression bombs.
ZipMember open_zip_member(const std::shared_ptr<ir::Buffer>& archive, const ZipEntry& entry);

}  // namespace fettle::calib
