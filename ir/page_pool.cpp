#include "ir/page_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <list>
#include <mutex>

#include "ir/buffer.h"

namespace fettle::ir {
namespace {

PageBlock map(size_t size) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return address == MAP_FAILED ? PageBlock{} : PageBlock{address, size};
}

void unmap(const PageBlock& block) { munmap(block.address, block.size); }

class Pool {
 public:
  PageBlock acquire(size_t size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
    const size_t rounded = (size + page - 1) / page * page;
    const std::lock_guard<std::mutex> lock(mutex_);
    PageBlock block = take_kept(rounded);
    if (block.address == nullptr) block = map_anew(rounded);
    if (block.address == nullptr) return block;
    used_ += block.size;
    most_used_ = std::max(most_used_, used_);
    return block;
  }

  void recycle(PageBlock block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    used_ -= block.size;
    kept_.push_back(block);
    kept_bytes_ += block.size;
    shrink(keepable(used_));
  }

  size_t kept() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return kept_bytes_;
  }

  void trim() {
    const std::lock_guard<std::mutex> lock(mutex_);
    shrink(0);
    most_used_ = used_;
  }

 private:
  // Of kept and used blocks together: half as much again as was ever used lets patterns of several
  // sizes recur without new blocks.
  size_t allowed() const { return std::min(most_used_ + most_used_ / 2, memory_limit()); }
  // What may be kept when `used` bytes are in use.
  size_t keepable(size_t used) const { return allowed() > used ? allowed() - used : 0; }

  // The smallest kept block that fits without wasting more than half of itself.
  PageBlock take_kept(size_t size) {
    auto best = kept_.end();
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
      if (it->size < size || it->size / 2 > size) continue;
      if (it->size > size && used_ + it->size > memory_limit()) continue;
      if (best == kept_.end() || it->size < best->size) best = it;
    }
    if (best == kept_.end()) return {};
    const PageBlock block = *best;
    kept_bytes_ -= block.size;
    kept_.erase(best);
    return block;
  }

  // A new block takes the place of kept ones, so that the sum stays within what is allowed.
  PageBlock map_anew(size_t size) {
    shrink(keepable(used_ + size));
    PageBlock block = map(size);
    if (block.address != nullptr || kept_.empty()) return block;
    shrink(0);
    return map(size);
  }

  // Lets go of the oldest blocks until at most `bytes` are kept.
  void shrink(size_t bytes) {
    while (kept_bytes_ > bytes) {
      unmap(kept_.front());
      kept_bytes_ -= kept_.front().size;
      kept_.pop_front();
    }
  }

  std::mutex mutex_;
  std::list<PageBlock> kept_;  // oldest first
  size_t kept_bytes_ = 0;
  size_t used_ = 0;
  size_t most_used_ = 0;
};

// Never destroyed: buffers with static storage may be freed after it would be.
Pool& pool() {
  static Pool& instance = *new Pool();
  return instance;
}

}  // namespace

PageBlock acquire_pages(size_t size) { return pool().acquire(size); }
void recycle_pages(PageBlock block) { pool().recycle(block); }
void trim_pages() { pool().trim(); }
size_t kept_pages() { return pool().kept(); }

}  // namespace fettle::ir
