// Reading regular files without copying them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "ir/buffer.h"

namespace fettle::calib {

// Maps a whole regular file, read-only. Throws kBadInput when it is missing, not a regular file,
// empty or unreadable.
std::shared_ptr<ir::Buffer> map_file(const std::filesystem::path& path);

// Collects bytes in an unlinked temporary file, so that data of any size can be inflated without
// holding it in memory. Falls back to memory when no temporary file can be made.
class SpillFile {
 public:
  SpillFile();
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  // Throws kLimit when the disk is full.
  void append(const void* bytes, size_t size);
  // What was appended. Call once, last.
  std::shared_ptr<ir::Buffer> finish();

 private:
  int fd_ = -1;
  uint64_t size_ = 0;
  std::shared_ptr<ir::Buffer> memory_;
};

}  // namespace fettle::calib
