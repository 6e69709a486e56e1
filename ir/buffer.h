// Byte storage of tensors: memory of the process, counted against its limit, or a view of a mapped
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fettle::ir {

class Buffer {
 public:
  // `size` uninitialised bytes, 64-byte aligned. Throws kLimit beyond the memory limit.
  static std::shared_ptr<Buffer> allocate(size_t size);
  // The same on pages of its own, which are returned to the system when the buffer goes: for large
  // bytes that outlive many others, so that they leave no holes in the heap.
  static std::shared_ptr<Buffer> allocate_pages(size_t size);
  // Maps `size` bytes at `offset` of an open regular file, read-only and private. Any offset is
  // allowed. The descriptor may be closed afterwards. Throws kBadInput when mapping fails.
  static std::shared_ptr<Buffer> map(int fd, uint64_t offset, size_t size);
  // Copies `size` bytes into an unlinked temporary file and maps it, so that the pages can leave
  // memory when they are cold. Falls back to allocate() when no temporary file can be made.
  static std::shared_ptr<Buffer> spill(const void* bytes, size_t size);

  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  // True when the bytes may be written; mapped files are read-only.
  bool writable() const { return origin_ != Origin::kFile; }
  std::byte* mutable_data();
  // Tells the system that the pages will not be needed soon; they come back from the file when
  // touched again. No effect on other buffers.
  void release_pages() const;

 private:
  enum class Origin { kHeap, kSmall, kPool, kPages, kFile };

  Buffer() = default;
  static std::shared_ptr<Buffer> of_memory(Origin origin, std::byte* data, size_t size);
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  Origin origin_ = Origin::kHeap;
  void* mapping_ = nullptr;  // start of the pages; null for heap memory
  size_t mapping_size_ = 0;
};

// Sets the limit for the sum of buffers in memory that are alive, in bytes (`--max-memory`).
void set_memory_limit(size_t bytes);
size_t memory_limit();
// Bytes of buffers in memory now, and the highest value since the start or the last reset.
size_t memory_in_use();
size_t memory_peak();
void reset_memory_peak();
// Tells how much buffers in memory took at most, beyond those at its start, while it lives. One at a
// time; memory_peak() goes on as if there had been none.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;
  size_t most() const;

 private:
  size_t peak_before_;
  size_t start_;
};
// Throws kLimit when `bytes` more would exceed the limit. For checks before a computation starts.
void require_memory(size_t bytes);

}  // namespace fettle::ir
