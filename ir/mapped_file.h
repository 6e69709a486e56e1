// A file that is opened once, checked and mapped; tensors become views of it. Private header of
// ir/.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "ir/tensor_proto.h"

namespace fettle::ir {

// Bytes at `source`, as a heap buffer or, when large, in an unlinked temporary file.
std::shared_ptr<Buffer> copy_bytes(const void* source, size_t size);

class MappedFile {
 public:
  // Takes over `fd`. Throws kBadInput unless it is a regular file.
  explicit MappedFile(int fd);
  // Opens `path`, following symbolic links. Throws kBadInput when it cannot.
  static MappedFile open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  uint64_t size() const { return size_; }
  // The whole content, mapped on first use.
  std::string_view bytes();
  // Bytes [offset, offset + size), which must lie within the file, placed so that elements of
  // `alignment` bytes can be read in place: a view of the file, or a copy where the offset does
  // not allow it.
  TensorBytes range(uint64_t offset, size_t size, size_t alignment);
  // Lets the pages of the whole mapping leave memory.
  void release_pages() const;

 private:
  int fd_;
  uint64_t size_ = 0;
  std::shared_ptr<Buffer> whole_;
  int own_mappings_ = 0;
};

}  // namespace fettle::ir
