// Loops over elements that all threads share. Chunks have a fixed size, so that results do not
// depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>

namespace fettle::interp {

inline constexpr int64_t kChunk = 16384;  // elements; a multiple of every vector width

// Carries the first exception out of a parallel region, which none may leave by itself.
class FirstException {
 public:
  template <typename Work>
  void guard(Work&& work) {
    try {
      work();
    } catch (...) {
#pragma omp critical(fettle_first_exception)
      if (first_ == nullptr) first_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (first_ != nullptr) std::rethrow_exception(first_);
  }

 private:
  std::exception_ptr first_;
};

// Calls work(begin, end) for consecutive chunks of [0, count). `cost` tells how many simple
// operations an element takes; small amounts of work stay on the calling thread.
template <typename Work>
void for_chunks(int64_t count, Work&& work, int64_t cost = 1) {
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  FirstException first;
#pragma omp parallel for schedule(static) if (chunks > 1 && count * cost > 4 * kChunk)
  for (int64_t c = 0; c < chunks; ++c) {
    first.guard([&] { work(c * kChunk, std::min(count, (c + 1) * kChunk)); });
  }
  first.rethrow();
}

// Calls work(i) for i in [0, count), each taking about `cost` simple operations.
template <typename Work>
void for_each_row(int64_t count, int64_t cost, Work&& work) {
  FirstException first;
#pragma omp parallel for schedule(static) if (count > 1 && count * cost > 4 * kChunk)
  for (int64_t i = 0; i < count; ++i) first.guard([&] { work(i); });
  first.rethrow();
}

}  // namespace fettle::interp
