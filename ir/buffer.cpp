#include "ir/buffer.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "ir/error.h"
#include "ir/page_pool.h"
#include "ir/sanitizer.h"
#include "ir/small_blocks.h"

namespace fettle::ir {
namespace {

#ifdef FETTLE_ADDRESS_SANITIZER
constexpr bool kPooling = false;  // the sanitizer watches the heap only
#else
constexpr bool kPooling = true;
#endif

size_t default_limit() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page <= 0) return size_t{8} << 30;
  return static_cast<size_t>(pages) / 4 * 3 * static_cast<size_t>(page);
}

// Made on first use: objects with static storage may hold tensors.
std::atomic<size_t>& limit_value() {
  static std::atomic<size_t> value{default_limit()};
  return value;
}
std::atomic<size_t> g_in_use{0};
std::atomic<size_t> g_peak{0};

void count_up(size_t size) {
  const size_t now = g_in_use.fetch_add(size) + size;
  size_t peak = g_peak.load();
  while (now > peak && !g_peak.compare_exchange_weak(peak, now)) {
  }
}

int open_unlinked_file() {
  const char* dir = std::getenv("TMPDIR");
  std::string path = std::string(dir != nullptr && *dir != '\0' ? dir : "/tmp") + "/fettle-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd >= 0) unlink(path.c_str());
  return fd;
}

bool write_all(int fd, const void* bytes, size_t size) {
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t n = write(fd, at, size);
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

void require_memory(size_t bytes) {
  const size_t limit = limit_value().load();
  const size_t used = g_in_use.load();
  if (bytes > limit || used > limit - bytes) {
    fail(ErrorCode::kLimit,
         "needs {} bytes more while {} are in use, beyond the memory limit of {} bytes; raise "
         "--max-memory or use smaller inputs",
         bytes, used, limit);
  }
}

// Counts `size` bytes at `data`, which the caller has just got.
std::shared_ptr<Buffer> Buffer::of_memory(Origin origin, std::byte* data, size_t size) {
  if (data == nullptr) fail(ErrorCode::kLimit, "cannot allocate {} bytes", size);
  std::shared_ptr<Buffer> buffer(new Buffer());
  buffer->origin_ = origin;
  buffer->data_ = data;
  buffer->size_ = size;
  count_up(size);
  return buffer;
}

std::shared_ptr<Buffer> Buffer::allocate(size_t size) {
  require_memory(size);
  if (kPooling && size >= kPooledBytes) {
    const PageBlock block = acquire_pages(size);
    auto buffer = of_memory(Origin::kPool, static_cast<std::byte*>(block.address), size);
    buffer->mapping_ = block.address;
    buffer->mapping_size_ = block.size;
    return buffer;
  }
  if (kPooling) {
    return of_memory(Origin::kSmall, static_cast<std::byte*>(acquire_small(size)), size);
  }
  const size_t rounded = std::max<size_t>((size + 63) / 64 * 64, 64);
  return of_memory(Origin::kHeap, static_cast<std::byte*>(std::aligned_alloc(64, rounded)), size);
}

std::shared_ptr<Buffer> Buffer::allocate_pages(size_t size) {
  if (size < kPooledBytes) return allocate(size);
  require_memory(size);
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) pages = nullptr;
  auto buffer = of_memory(Origin::kPages, static_cast<std::byte*>(pages), size);
  buffer->mapping_ = pages;
  buffer->mapping_size_ = size;
  return buffer;
}

std::shared_ptr<Buffer> Buffer::map(int fd, uint64_t offset, size_t size) {
  if (size == 0) return allocate(0);
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
  const uint64_t start = offset / page * page;
  const size_t length = size + static_cast<size_t>(offset - start);
  void* mapping = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(start));
  if (mapping == MAP_FAILED) fail(ErrorCode::kBadInput, "cannot map {} bytes of the file", size);
  std::shared_ptr<Buffer> buffer(new Buffer());
  buffer->origin_ = Origin::kFile;
  buffer->mapping_ = mapping;
  buffer->mapping_size_ = length;
  buffer->data_ = static_cast<std::byte*>(mapping) + (offset - start);
  buffer->size_ = size;
  return buffer;
}

std::shared_ptr<Buffer> Buffer::spill(const void* bytes, size_t size) {
  const int fd = open_unlinked_file();
  if (fd >= 0 && write_all(fd, bytes, size)) {
    auto buffer = map(fd, 0, size);
    close(fd);
    return buffer;
  }
  if (fd >= 0) close(fd);
  auto buffer = allocate(size);
  if (size > 0) std::memcpy(buffer->data_, bytes, size);
  return buffer;
}

Buffer::~Buffer() {
  if (writable()) g_in_use.fetch_sub(size_);
  switch (origin_) {
    case Origin::kHeap:
      std::free(data_);
      break;
    case Origin::kSmall:
      recycle_small(data_, size_);
      break;
    case Origin::kPool:
      recycle_pages({mapping_, mapping_size_});
      break;
    case Origin::kPages:
    case Origin::kFile:
      munmap(mapping_, mapping_size_);
      break;
  }
}

std::byte* Buffer::mutable_data() {
  FETTLE_ASSERT(writable());
  return data_;
}

void Buffer::release_pages() const {
  if (origin_ == Origin::kFile) madvise(mapping_, mapping_size_, MADV_DONTNEED);
}

void set_memory_limit(size_t bytes) { limit_value().store(bytes); }
size_t memory_limit() { return limit_value().load(); }
size_t memory_in_use() { return g_in_use.load(); }
size_t memory_peak() { return g_peak.load(); }
void reset_memory_peak() { g_peak.store(g_in_use.load()); }

MemoryMeter::MemoryMeter() : peak_before_(g_peak.load()), start_(g_in_use.load()) {
  reset_memory_peak();
}
MemoryMeter::~MemoryMeter() {
  g_peak.store(std::max(peak_before_, g_peak.load()));
}
size_t MemoryMeter::most() const {
  const size_t peak = g_peak.load();
  return peak > start_ ? peak - start_ : 0;
}

}  // namespace fettle::ir
