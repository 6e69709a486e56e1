#include "ir/external_data.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <onnx/onnx_pb.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>

#include "ir/error.h"

namespace fettle::ir {
namespace {

namespace fs = std::filesystem;

constexpr int kReadFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr size_t kMaxLocation = 4096;

uint64_t parse_number(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end || value > static_cast<uint64_t>(INT64_MAX)) {
    fail(ErrorCode::kBadInput, "external data: expected a decimal number for '{}', found '{}'", key,
         text);
  }
  return value;
}

void check_location(const std::string& location) {
  const auto refuse = [&](const char* why) {
    fail(
        ErrorCode::kBadInput,
        "external data: location '{}' {}; expected a file beside the model, such as 'weights.data'",
        location, why);
  };
  if (location.empty()) refuse("is empty");
  if (location.size() > kMaxLocation) refuse("is too long");
  if (location.find('\0') != std::string::npos) refuse("holds a NUL character");
  if (location.find('\\') != std::string::npos) refuse("holds a backslash");
  const bool drive = location.size() > 1 && location[1] == ':';
  if (location.front() == '/' || drive) refuse("is absolute");
  for (const fs::path& part : fs::path(location)) {
    if (part == "..") refuse("leaves the model's folder");
  }
}

// One path component at a time, none of them a symbolic link: for kernels without openat2.
int open_by_component(int folder, const std::string& location) {
  std::vector<fs::path> parts;
  for (const fs::path& part : fs::path(location)) {
    if (!part.empty() && part != ".") parts.push_back(part);
  }
  int current = dup(folder);
  for (size_t i = 0; i < parts.size() && current >= 0; ++i) {
    const bool last = i + 1 == parts.size();
    const int flags = last ? kReadFlags : O_PATH | O_DIRECTORY | O_CLOEXEC;
    const int next = openat(current, parts[i].c_str(), flags | O_NOFOLLOW);
    const int error = errno;
    close(current);
    errno = error;
    current = next;
  }
  return current;
}

int open_beneath(int folder, const std::string& location) {
  open_how how{};
  how.flags = kReadFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, folder, location.c_str(), &how, sizeof(how));
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  return open_by_component(folder, location);
}

bool inside(const fs::path& path, const fs::path& folder) {
  if (folder.empty()) return false;
  const auto [end, at] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() && at != path.end();
}

}  // namespace

ExternalLocation external_location(const onnx::TensorProto& proto) {
  ExternalLocation result;
  std::set<std::string> seen;
  for (const auto& entry : proto.external_data()) {
    const std::string& key = entry.key();
    if (!seen.insert(key).second) {
      fail(ErrorCode::kBadInput, "external data: '{}' is given twice", key);
    }
    if (key == "location") {
      result.location = entry.value();
    } else if (key == "offset") {
      result.offset = parse_number(key, entry.value());
    } else if (key == "length") {
      result.length = parse_number(key, entry.value());
      result.has_length = true;
    }
  }
  check_location(result.location);
  return result;
}

TensorBytes ExternalFiles::read(const onnx::TensorProto& proto, size_t size, size_t alignment) {
  const ExternalLocation where = external_location(proto);
  if (where.has_length && where.length != size) {
    fail(ErrorCode::kBadInput,
         "external data '{}': expected {} bytes for the tensor, found length {}", where.location,
         size, where.length);
  }
  try {
    MappedFile& data = file(where.location);
    if (where.offset > data.size() || size > data.size() - where.offset) {
      fail(ErrorCode::kBadInput,
           "expected {} bytes at offset {}, but the file has only {}; it is damaged or belongs to "
           "another model",
           size, where.offset, data.size());
    }
    return data.range(where.offset, size, alignment);
  } catch (Error& error) {
    throw error.add_context(fmt::format("external data '{}'", where.location));
  }
}

void ExternalFiles::redirect(const std::string& location, const fs::path& path) {
  files_.emplace(location, MappedFile::open(path));
}

std::vector<std::string> ExternalFiles::paths() const {
  std::vector<std::string> out;
  for (const auto& [location, data] : files_) out.push_back((folder_ / location).string());
  return out;
}

void ExternalFiles::release_pages() const {
  for (const auto& [location, data] : files_) data.release_pages();
}

MappedFile& ExternalFiles::file(const std::string& location) {
  const auto at = files_.find(location);
  if (at != files_.end()) return at->second;
  if (folder_.empty()) {
    fail(ErrorCode::kBadInput,
         "the model was read from memory and has no folder; read it from its file");
  }
  const int fd = options_.allow_symlinks ? open_through_links(location) : open_strictly(location);
  return files_.emplace(location, MappedFile(fd)).first->second;
}

int ExternalFiles::open_strictly(const std::string& location) const {
  const int folder = open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int fd = folder >= 0 ? open_beneath(folder, location) : -1;
  const int error = errno;
  if (folder >= 0) close(folder);
  if (fd >= 0) return fd;
  if (error == ELOOP) {
    fail(ErrorCode::kBadInput,
         "the path goes through a symbolic link; pass --allow-symlinks if you trust it");
  }
  fail(ErrorCode::kBadInput, "cannot be opened: {}; put the file beside the model",
       std::strerror(error));
}

int ExternalFiles::open_through_links(const std::string& location) const {
  std::error_code error;
  const fs::path target = fs::canonical(folder_ / location, error);
  if (error) {
    fail(ErrorCode::kBadInput, "cannot be opened: {}; put the file beside the model",
         error.message());
  }
  const int fd = open(target.c_str(), kReadFlags | O_NOFOLLOW);
  if (fd < 0) {
    fail(ErrorCode::kBadInput, "cannot be opened: {}", std::strerror(errno));
  }
  // Judged by what was opened, so that a link exchanged meanwhile changes nothing.
  const fs::path opened = fs::read_symlink(fmt::format("/proc/self/fd/{}", fd), error);
  const fs::path real_folder = fs::canonical(folder_, error);
  const fs::path real_model =
      model_.empty() ? real_folder : fs::canonical(model_, error).parent_path();
  if (error || !(inside(opened, real_folder) || inside(opened, real_model))) {
    close(fd);
    fail(ErrorCode::kBadInput, "the symbolic link leads out of the model's folder; copy the file");
  }
  return fd;
}

}  // namespace fettle::ir
