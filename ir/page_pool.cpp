#include "ir/page_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <list>
#include <map>
#include <mutex>

#include "ir/buffer.h"

namespace fettle::ir {
namespace {

// Address space is taken from the system in pieces of this size; memory comes when it is touched.
constexpr size_t kReserve = size_t{1} << 30;

size_t page_size() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  return size;
}

// Free addresses: `resident` of the `size` bytes have been used before and may hold memory.
struct Hole {
  size_t size = 0;
  size_t resident = 0;
};

// A piece of address space. Holes never touch each other.
struct Reserve {
  char* base = nullptr;
  size_t size = 0;
  std::map<size_t, Hole> holes;  // by offset

  bool empty() const { return holes.size() == 1 && holes.begin()->second.size == size; }
};

class Pool {
 public:
  PageBlock acquire(size_t size) {
    const size_t rounded =
        (std::max<size_t>(size, 1) + page_size() - 1) / page_size() * page_size();
    const std::lock_guard<std::mutex> lock(mutex_);
    PageBlock block = take(rounded);
    if (block.address == nullptr && grow(rounded)) block = take(rounded);
    if (block.address == nullptr) return block;
    used_ += rounded;
    most_used_ = std::max(most_used_, used_);
    shrink(allowed() - used_);
    return block;
  }

  void recycle(PageBlock block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    used_ -= block.size;
    kept_ += block.size;
    auto* address = static_cast<char*>(block.address);
    for (Reserve& reserve : reserves_) {
      if (address < reserve.base || address >= reserve.base + reserve.size) continue;
      add_hole(reserve, static_cast<size_t>(address - reserve.base), block.size);
      break;
    }
    shrink(allowed() > used_ ? allowed() - used_ : 0);
  }

  size_t kept() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return kept_;
  }

  void trim() {
    const std::lock_guard<std::mutex> lock(mutex_);
    shrink(0);
    for (auto it = reserves_.begin(); it != reserves_.end();) {
      if (it->empty()) munmap(it->base, it->size);
      it = it->empty() ? reserves_.erase(it) : std::next(it);
    }
    most_used_ = used_;
  }

 private:
  // Of kept and used bytes together. Blocks of several sizes leave holes that do not fit the next
  // one; half as much again as was ever used at a time is enough for them.
  size_t allowed() const {
    return std::max(used_, std::min(most_used_ + most_used_ / 2, memory_limit()));
  }

  // The first hole that fits, by address, so that used blocks stay close together.
  PageBlock take(size_t size) {
    for (Reserve& reserve : reserves_) {
      for (auto it = reserve.holes.begin(); it != reserve.holes.end(); ++it) {
        if (it->second.size < size) continue;
        const auto [offset, hole] = *it;
        reserve.holes.erase(it);
        const size_t reused = std::min(hole.resident, size);
        kept_ -= reused;
        if (hole.size > size) {
          reserve.holes.emplace(offset + size, Hole{hole.size - size, hole.resident - reused});
        }
        return {reserve.base + offset, size};
      }
    }
    return {};
  }

  bool grow(size_t size) {
    for (const size_t wanted : {std::max(size, kReserve), size}) {
      void* base = mmap(nullptr, wanted, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (base == MAP_FAILED) continue;
      reserves_.push_back({static_cast<char*>(base), wanted, {{0, Hole{wanted, 0}}}});
      return true;
    }
    return false;
  }

  static void add_hole(Reserve& reserve, size_t offset, size_t size) {
    Hole hole{size, size};
    auto next = reserve.holes.lower_bound(offset);
    if (next != reserve.holes.end() && next->first == offset + size) {
      hole.size += next->second.size;
      hole.resident += next->second.resident;
      next = reserve.holes.erase(next);
    }
    if (next != reserve.holes.begin()) {
      auto& [start, before] = *std::prev(next);
      if (start + before.size == offset) {
        before.size += hole.size;
        before.resident += hole.resident;
        return;
      }
    }
    reserve.holes.emplace(offset, hole);
  }

  // Returns the memory of holes to the system, highest addresses first, until at most `bytes` are
  // kept.
  void shrink(size_t bytes) {
    for (auto reserve = reserves_.rbegin(); reserve != reserves_.rend(); ++reserve) {
      for (auto it = reserve->holes.rbegin(); it != reserve->holes.rend(); ++it) {
        if (kept_ <= bytes) return;
        Hole& hole = it->second;
        if (hole.resident == 0) continue;
        madvise(reserve->base + it->first, hole.size, MADV_DONTNEED);
        kept_ -= hole.resident;
        hole.resident = 0;
      }
    }
  }

  std::mutex mutex_;
  std::list<Reserve> reserves_;
  size_t kept_ = 0;  // resident bytes of all holes
  size_t used_ = 0;
  size_t most_used_ = 0;
};

// Never destroyed: buffers with static storage may be freed after it would be.
Pool& pool() {
  static Pool& instance = *new Pool();
  return instance;
}

}  // namespace

PageBlock acquire_pages(size_t size) {
  return pool().acquire(size);
}
void recycle_pages(PageBlock block) {
  pool().recycle(block);
}
void trim_pages() {
  pool().trim();
}
size_t kept_pages() {
  return pool().kept();
}

}  // namespace fettle::ir
