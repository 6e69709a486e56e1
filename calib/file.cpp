#include "calib/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "ir/error.h"

namespace fettle::calib {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::shared_ptr<ir::Buffer> map_file(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) fail(ErrorCode::kBadInput, "cannot be read: {}", std::strerror(errno));
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    fail(ErrorCode::kBadInput, "expected a regular file, found something else");
  }
  if (status.st_size == 0) fail(ErrorCode::kBadInput, "the file is empty (0 bytes)");
  return ir::Buffer::map(file.get(), 0, static_cast<size_t>(status.st_size));
}

SpillFile::SpillFile() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = folder != nullptr && *folder != '\0' ? folder : "/tmp";
  path += "/fettle-XXXXXX";
  fd_ = mkostemp(path.data(), O_CLOEXEC);
  if (fd_ >= 0) unlink(path.c_str());
}

SpillFile::~SpillFile() {
  if (fd_ >= 0) close(fd_);
}

void SpillFile::append(const void* bytes, size_t size) {
  if (fd_ < 0) {
    if (memory_ == nullptr || size > memory_->size() - size_) {
      auto grown = ir::Buffer::allocate(2 * (static_cast<size_t>(size_) + size));
      if (size_ > 0) std::memcpy(grown->mutable_data(), memory_->data(), size_);
      memory_ = std::move(grown);
    }
    std::memcpy(memory_->mutable_data() + size_, bytes, size);
    size_ += size;
    return;
  }
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = write(fd_, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      fail(ErrorCode::kLimit,
           "cannot unpack compressed data into a temporary file: {}; set TMPDIR to a folder with "
           "more space or store the data uncompressed",
           std::strerror(errno));
    }
    at += written;
    size -= static_cast<size_t>(written);
    size_ += static_cast<uint64_t>(written);
  }
}

std::shared_ptr<ir::Buffer> SpillFile::finish() {
  if (fd_ < 0) return memory_ != nullptr ? memory_ : ir::Buffer::allocate(0);
  return ir::Buffer::map(fd_, 0, static_cast<size_t>(size_));
}

}  // namespace fettle::calib
