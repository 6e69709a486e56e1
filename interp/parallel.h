// Loops over elements that all threads share. Chunks have a fixed size, so that results do not
// depend on the number of threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>

#include "interp/subnormals.h"

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

// Calls work(i) for i in [0, count): on all threads when `shared`, else on the calling one. A loop
// that is not shared must not open a parallel region of one thread: the OpenMP runtime starts and
// ends threads for every region inside another one, even an inactive one.
template <typename Work>
void for_each_index(int64_t count, bool shared, Work&& work) {
  if (!shared || count < 2 || omp_get_max_threads() == 1) {
    for (int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  FirstException first;
  const auto mode = float_mode();
#pragma omp parallel
  {
    const auto own = float_mode();
    set_float_mode(mode);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < count; ++i) first.guard([&] { work(i); });
    set_float_mode(own);
  }
  first.rethrow();
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
