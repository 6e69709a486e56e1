#include "ir/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>

#include "ir/error.h"
#include "ir/io.h"

namespace fettle::ir {
namespace {

constexpr size_t kBufferSize = size_t{1} << 20;
constexpr int kAttempts = 16;

// Paths of temporary files that exist, for the signal handler.
constexpr size_t kSlots = 64;
std::array<std::atomic<char*>, kSlots> g_temporaries;

// Where `path` was noted; kSlots when the list is full.
size_t note_temporary(const char* path) {
  char* copy = strdup(path);
  for (size_t i = 0; i < kSlots && copy != nullptr; ++i) {
    char* free_slot = nullptr;
    if (g_temporaries[i].compare_exchange_strong(free_slot, copy)) return i;
  }
  std::free(copy);
  return kSlots;
}

void forget_temporary(size_t slot) {
  if (slot < kSlots) std::free(g_temporaries[slot].exchange(nullptr));
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

void sync_folder(const std::filesystem::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);  // some file systems refuse it for folders; the file itself is on the disk already
  close(fd);
}

}  // namespace

void remove_temporary_files() noexcept {
  for (auto& slot : g_temporaries) {
    // Never freed here: free() is not async-signal-safe, and the process ends.
    if (const char* path = slot.exchange(nullptr)) unlink(path);
  }
}

std::filesystem::path write_target(const std::filesystem::path& path) {
  constexpr int kMostLinks = 40;
  std::filesystem::path target = path;
  for (int links = 0;; ++links) {
    struct stat status {};
    if (lstat(target.c_str(), &status) != 0) break;
    const bool is_link = S_ISLNK(status.st_mode);
    const bool is_open_file = is_link && target.lexically_normal().string().starts_with("/proc/");
    if (target.filename().empty() || (!is_link && !S_ISREG(status.st_mode)) || is_open_file) {
      fail(ErrorCode::kBadInput, "cannot write {}: it is not a regular file; name a file",
           path.string());
    }
    if (!is_link) break;
    std::error_code error;
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error || links == kMostLinks) {
      fail(ErrorCode::kBadInput, "cannot write {}: its links lead nowhere; name a file",
           path.string());
    }
    target = next.is_absolute() ? next : folder_of(target) / next;
  }
  if (target.filename().empty()) {
    fail(ErrorCode::kBadInput, "cannot write {}: it is not a regular file; name a file",
         path.string());
  }
  return target;
}

AtomicFile::AtomicFile(const std::filesystem::path& destination)
    : destination_(write_target(destination)) {
  std::random_device random;
  for (int attempt = 0; attempt < kAttempts && fd_ < 0; ++attempt) {
    temporary_ =
        folder_of(destination_) /
        fmt::format(".{}.tmp.{}.{:08x}", destination_.filename().string(), getpid(), random());
    fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) break;
  }
  if (fd_ < 0) {
    fail(ErrorCode::kBadInput, "cannot write {}: {}; check that the folder exists and is writable",
         destination_.string(), std::strerror(errno));
  }
  exists_ = true;
  slot_ = note_temporary(temporary_.c_str());
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  if (exists_) {
    unlink(temporary_.c_str());
    forget_temporary(slot_);
  }
}

void AtomicFile::fail_writing(int error) const {
  fail(ErrorCode::kBadInput, "cannot write {}: {}; nothing was changed", destination_.string(),
       std::strerror(error));
}

void AtomicFile::write(const void* bytes, size_t size) {
  size_ += size;
  if (pending_.size() + size < kBufferSize) {
    pending_.append(static_cast<const char*>(bytes), size);
    return;
  }
  flush();
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t n = ::write(fd_, at, std::min(size, size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_writing(n < 0 ? errno : ENOSPC);
    at += n;
    size -= static_cast<size_t>(n);
  }
}

void AtomicFile::flush() {
  std::string bytes;
  bytes.swap(pending_);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_writing(n < 0 ? errno : ENOSPC);
    done += static_cast<size_t>(n);
  }
}

void AtomicFile::pad(uint64_t alignment) {
  const std::string zeros(static_cast<size_t>((alignment - size_ % alignment) % alignment), '\0');
  write(zeros);
}

void AtomicFile::finish() {
  if (fd_ < 0) return;
  flush();
  if (fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) fail_writing(errno);
  const int fd = fd_;
  fd_ = -1;
  if (close(fd) != 0) fail_writing(errno);
}

void AtomicFile::commit() {
  finish();
  if (rename(temporary_.c_str(), destination_.c_str()) != 0) fail_writing(errno);
  exists_ = false;
  forget_temporary(slot_);
  sync_folder(folder_of(destination_));
}

}  // namespace fettle::ir
