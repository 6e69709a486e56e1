// Loops over elements that all threads share. Chunks have a fixed size, so that results do not
// depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>

#include "interp/team.h"

namespace fettle::interp {

inline constexpr int64_t kChunk = 16384;  // elements; a multiple of every vector width

// Carries the first exception out of a region, which none may leave by itself.
class FirstException {
 public:
  template <typename Work>
  void guard(Work&& work) {
    try {
      work();
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (first_ == nullptr) first_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (first_ != nullptr) std::rethrow_exception(first_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

// Calls work(i) for i in [0, count): on all threads when `shared`, else on the calling one.
template <typename Work>
void for_each_index(int64_t count, bool shared, Work&& work) {
  if (!shared || count < 2 || team_size() == 1) {
    for (int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  // More shares than threads, so that none is left waiting for long.
  struct Region {
    Work& work;
    int64_t count;
    int64_t shares;
    FirstException first;
  };
  Region region{work, count, std::min<int64_t>(count, 4 * team_size()), {}};
  run_shares(
      static_cast<int>(region.shares),
      [](void* data) {
        auto& r = *static_cast<Region*>(data);
        const int64_t share = share_index();
        const int64_t end = (share + 1) * r.count / r.shares;
        r.first.guard([&] {
          for (int64_t i = share * r.count / r.shares; i < end; ++i) r.work(i);
        });
      },
      &region);
  region.first.rethrow();
}

// Calls work(begin, end) for consecutive chunks of [0, count). `cost` tells how many simple
// operations an element takes; small amounts of work stay on the calling thread.
template <typename Work>
void for_chunks(int64_t count, Work&& work, int64_t cost = 1) {
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  for_each_index(chunks, count * cost > 4 * kChunk,
                 [&](int64_t c) { work(c * kChunk, std::min(count, (c + 1) * kChunk)); });
}

// Calls work(i) for i in [0, count), each taking about `cost` simple operations.
template <typename Work>
void for_each_row(int64_t count, int64_t cost, Work&& work) {
  for_each_index(count, count * cost > 4 * kChunk, work);
}

}  // namespace fettle::interp
