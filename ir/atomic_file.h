// Files that appear under their name only when they are complete. Private header of ir/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace fettle::ir {

// A temporary file beside its destination; it is removed unless commit() was reached.
class AtomicFile {
 public:
  // Replaces write_target(destination). Throws kBadInput when the folder cannot be written.
  explicit AtomicFile(const std::filesystem::path& destination);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, size_t size);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  // Zero bytes up to a multiple of `alignment`.
  void pad(uint64_t alignment);
  uint64_t size() const { return size_; }
  // Flushes to the disk and closes; the file can then be read back under temporary().
  void finish();
  const std::filesystem::path& temporary() const { return temporary_; }
  // finish(), then the rename.
  void commit();

 private:
  [[noreturn]] void fail_writing(int error) const;
  void flush();

  std::filesystem::path destination_;
  std::filesystem::path temporary_;
  std::string pending_;
  uint64_t size_ = 0;
  int fd_ = -1;
  bool exists_ = false;
  size_t slot_ = 0;  // in the list that remove_temporary_files() works through
};

}  // namespace fettle::ir
