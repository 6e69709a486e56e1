#include "ir/mapped_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "ir/error.h"

namespace fettle::ir {
namespace {

// Larger tensors get mappings of their own, which go when the tensor goes.
constexpr size_t kOwnMapping = size_t{64} << 10;
constexpr int kMaxOwnMappings = 8192;  // of the 65530 that Linux grants a process
constexpr size_t kSpillThreshold = size_t{1} << 20;

}  // namespace

std::shared_ptr<Buffer> copy_bytes(const void* source, size_t size) {
  if (size >= kSpillThreshold) return Buffer::spill(source, size);
  auto buffer = Buffer::allocate(size);
  if (size > 0) std::memcpy(buffer->mutable_data(), source, size);
  return buffer;
}

MappedFile::MappedFile(int fd) : fd_(fd) {
  struct stat status {};
  if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
    const bool folder = S_ISDIR(status.st_mode);
    close(fd_);
    fail(ErrorCode::kBadInput, "expected a regular file, found {}; name the file itself",
         folder ? "a folder" : "something else");
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

MappedFile MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    const int error = errno;
    fail(ErrorCode::kBadInput, "cannot be opened: {}; check the path and its permissions",
         std::strerror(error));
  }
  return MappedFile(fd);
}

MappedFile::~MappedFile() {
  if (fd_ >= 0) close(fd_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      whole_(std::move(other.whole_)),
      own_mappings_(other.own_mappings_) {}

std::string_view MappedFile::bytes() {
  if (whole_ == nullptr) whole_ = Buffer::map(fd_, 0, static_cast<size_t>(size_));
  return {reinterpret_cast<const char*>(whole_->data()), whole_->size()};
}

TensorBytes MappedFile::range(uint64_t offset, size_t size, size_t alignment) {
  FETTLE_ASSERT(offset <= size_ && size <= size_ - offset);
  if (size == 0) return {Buffer::allocate(0), 0, 0};
  if (offset % alignment != 0) {
    TensorBytes copy{copy_bytes(bytes().data() + offset, size), 0, size};
    if (size >= kSpillThreshold) release_pages();
    return copy;
  }
  if (size >= kOwnMapping && own_mappings_ < kMaxOwnMappings) {
    ++own_mappings_;
    return {Buffer::map(fd_, offset, size), 0, size};
  }
  bytes();
  return {whole_, static_cast<size_t>(offset), size};
}

void MappedFile::release_pages() const {
  if (whole_ != nullptr) whole_->release_pages();
}

}  // namespace fettle::ir
