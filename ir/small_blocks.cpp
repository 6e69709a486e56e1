#include "ir/small_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <vector>

#include "ir/page_pool.h"

namespace fettle::ir {
namespace {

constexpr size_t kSmallest = 64;
constexpr size_t kKeptBytes = size_t{2} << 20;  // per thread

// Four classes per power of two: no block is more than a quarter larger than asked.
struct SizeClass {
  size_t index;
  size_t bytes;
};

constexpr SizeClass size_class(size_t size) {
  const size_t units = std::max<size_t>((size + kSmallest - 1) / kSmallest, 1);  // of 64 bytes
  if (units <= 4) return {units, units * kSmallest};
  const auto top =
      static_cast<size_t>(std::bit_width(units - 1)) - 1;  // units in (2^top, 2^(top+1)]
  const size_t step = size_t{1} << (top - 2);
  const size_t quarters = (units + step - 1) / step;  // 5 to 8
  return {4 * (top - 1) + quarters - 4, quarters * step * kSmallest};
}

constexpr size_t kClasses = size_class(kPooledBytes).index + 1;

class Cache {
 public:
  ~Cache() {
    for (auto& blocks : kept_) {
      for (void* block : blocks) std::free(block);
    }
  }

  void* take(const SizeClass& wanted) {
    auto& blocks = kept_[wanted.index];
    if (blocks.empty()) return nullptr;
    void* block = blocks.back();
    blocks.pop_back();
    bytes_ -= wanted.bytes;
    return block;
  }

  bool keep(void* block, const SizeClass& size) {
    if (bytes_ + size.bytes > kKeptBytes) return false;
    kept_[size.index].push_back(block);
    bytes_ += size.bytes;
    return true;
  }

 private:
  std::array<std::vector<void*>, kClasses> kept_;
  size_t bytes_ = 0;
};

// The thread's cache; null before its first use and after the thread's objects are gone.
thread_local Cache* t_cache = nullptr;

struct Owner {
  Cache cache;
  Owner() { t_cache = &cache; }
  ~Owner() { t_cache = nullptr; }
};

}  // namespace

void* acquire_small(size_t size) {
  thread_local Owner owner;
  const SizeClass wanted = size_class(size);
  if (t_cache != nullptr) {
    if (void* block = t_cache->take(wanted)) return block;
  }
  return std::aligned_alloc(kSmallest, wanted.bytes);
}

void recycle_small(void* block, size_t size) {
  if (t_cache == nullptr || !t_cache->keep(block, size_class(size))) std::free(block);
}

}  // namespace fettle::ir
