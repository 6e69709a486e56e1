// Large blocks of memory, recycled. Freed blocks are kept for later requests, split and joined as
// these need: mapping and clearing pages again costs as much as computing a small layer, and a heap
// that holds both large short-lived and small long-lived blocks falls to pieces.
#pragma once

#include <cstddef>

namespace fettle::ir {

// Requests from this size on are worth a block of their own.
inline constexpr size_t kPooledBytes = size_t{256} << 10;

struct PageBlock {
  void* address = nullptr;  // page aligned; null when the system refuses
  size_t size = 0;
};

// A block of at least `size` bytes, contents undefined. Thread safe.
PageBlock acquire_pages(size_t size);
// Takes a block back. Kept and used blocks together take at most half as much again as the used ones
// took at a time since the last trim_pages(), and never more than the memory limit.
void recycle_pages(PageBlock block);
// Returns all kept blocks to the system.
void trim_pages();
// Bytes of kept blocks.
size_t kept_pages();

}  // namespace fettle::ir
