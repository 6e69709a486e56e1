// Blocks of memory below the size that ir/page_pool.h serves, recycled per thread: executing a
// small model allocates the same few sizes over and over.
#pragma once

#include <cstddef>

namespace fettle::ir {

// At least `size` bytes, 64-byte aligned, contents undefined; null when the system refuses. `size`
// must be less than kPooledBytes.
void* acquire_small(size_t size);
// Takes back what acquire_small(size) gave, in any thread.
void recycle_small(void* block, size_t size);

}  // namespace fettle::ir
