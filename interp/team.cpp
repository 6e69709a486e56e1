#include "interp/team.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "interp/subnormals.h"

namespace fettle::interp {
namespace {

using Clock = std::chrono::steady_clock;

// How long a thread looks for work before it sleeps. Longer than the time between two regions of
// most models, and than it takes to wake a sleeping thread on a virtual machine, which made two
// threads slower than one; short enough not to take a core from another process for long.
constexpr std::chrono::microseconds kAwake(500);
constexpr int kMostThreads = 1024;

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void sleep_while(std::atomic<uint32_t>& word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake(std::atomic<uint32_t>& word, int threads) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0);
}

// Spins until done() or until kAwake has passed; true when done.
template <typename Done>
bool spin_until(Done&& done) {
  const auto start = Clock::now();
  for (;;) {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      pause_briefly();
    }
    if (Clock::now() - start > kAwake) return false;
  }
}

// What the calling thread does now.
struct Place {
  int index = 0;
  int count = 1;
  bool within = false;  // a region
};
thread_local Place t_place;
thread_local int t_size = 0;  // 0: not set

class Pool {
 public:
  // `count` shares, of which at most kMostThreads.
  void run(int count, void (*share)(void*), void* data) {
    const std::lock_guard<std::mutex> lock(entry_);  // one region at a time
    const int helpers = std::min(count, team_size()) - 1;
    start_workers(helpers);
    helpers_.store(helpers);
    share_ = share;
    data_ = data;
    mode_ = float_mode();
    left_.store(static_cast<uint32_t>(count));
    arrived_.store(0);
    // Share 0 is the caller's.
    ++epoch_;
    state_.store(pack(epoch_, static_cast<uint64_t>(count), 1));
    bell_.fetch_add(1);
    if (sleepers_.load() > 0) wake(bell_, workers_ > helpers ? kMostThreads : helpers);
    for (int index = 0; index >= 0; index = claim()) compute(index, count);
    await_rest();
  }

  // Waits for the other shares of the region.
  void barrier() {
    const auto count = static_cast<uint32_t>(t_place.count);
    const uint32_t round = rounds_.load();
    if (arrived_.fetch_add(1) + 1 == count) {
      arrived_.store(0);
      rounds_.fetch_add(1);
      return;
    }
    const auto passed = [&] { return rounds_.load() != round; };
    while (!spin_until(passed)) sched_yield();
  }

 private:
  static uint64_t pack(uint64_t epoch, uint64_t count, uint64_t next) {
    return epoch << 32 | count << 16 | next;
  }
  static bool claimable(uint64_t state) { return (state & 0xffff) < (state >> 16 & 0xffff); }

  // The next share that nobody has begun; -1 when there is none.
  int claim() {
    uint64_t state = state_.load();
    while (claimable(state)) {
      if (state_.compare_exchange_weak(state, state + 1)) return static_cast<int>(state & 0xffff);
    }
    return -1;
  }

  // The region lives on until the share is done, so that its fields may be read.
  void compute(int index, int count) {
    const Place before = std::exchange(t_place, Place{index, count, true});
    share_(data_);
    t_place = before;
    if (left_.fetch_sub(1) == 1 && opener_sleeps_.load()) wake(left_, 1);
  }

  void await_rest() {
    if (spin_until([&] { return left_.load() == 0; })) return;
    opener_sleeps_.store(true);
    for (uint32_t left = left_.load(); left != 0; left = left_.load()) sleep_while(left_, left);
    opener_sleeps_.store(false);
  }

  void start_workers(int wanted) {
    for (; workers_ < wanted; ++workers_) {
      try {
        std::thread([this, number = workers_] { work(number); }).detach();
      } catch (const std::system_error&) {
        return;  // the caller computes all shares that nobody else takes
      }
    }
  }

  [[noreturn]] void work(int number) {
    const auto wanted = [&] { return claimable(state_.load()) && number < helpers_.load(); };
    for (;;) {
      const uint32_t bell = bell_.load();
      if (!spin_until(wanted)) {
        sleepers_.fetch_add(1);
        if (!wanted()) sleep_while(bell_, bell);
        sleepers_.fetch_sub(1);
        if (!wanted()) continue;
      }
      for (int index = claim(); index >= 0; index = claim()) {
        set_float_mode(mode_);
        compute(index, static_cast<int>(state_.load() >> 16 & 0xffff));
      }
    }
  }

  std::mutex entry_;
  int workers_ = 0;
  uint64_t epoch_ = 0;
  void (*share_)(void*) = nullptr;
  void* data_ = nullptr;
  decltype(float_mode()) mode_{};
  alignas(64) std::atomic<uint64_t> state_{0};  // epoch, shares, next share
  alignas(64) std::atomic<uint32_t> bell_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<int> helpers_{0};  // workers that the region may use: those with lower numbers
  alignas(64) std::atomic<uint32_t> left_{0};  // shares that are not done
  std::atomic<bool> opener_sleeps_{false};
  alignas(64) std::atomic<uint32_t> arrived_{0};
  std::atomic<uint32_t> rounds_{0};
};

// Never destroyed: its threads run until the process ends.
Pool& pool() {
  static Pool& instance = *new Pool();
  return instance;
}

}  // namespace

int available_cores() {
  static const int cores = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    const int found = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return found > 0 ? found : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }();
  return cores;
}

int team_size() {
  return t_size > 0 ? t_size : available_cores();
}
void set_team_size(int size) {
  t_size = std::clamp(size, 1, kMostThreads);
}
int share_index() {
  return t_place.index;
}

void run_shares(int count, void (*share)(void*), void* data) {
  constexpr int kMostShares = 0xffff;
  if (count <= 0) return;
  if (!t_place.within && count > 1 && count <= kMostShares && team_size() > 1) {
    pool().run(count, share, data);
    return;
  }
  const Place before = t_place;
  for (int i = 0; i < count; ++i) {
    t_place = Place{i, count, true};
    share(data);
  }
  t_place = before;
}

}  // namespace fettle::interp

// The OpenMP entry points that oneDNN calls, with the meaning that the OpenMP runtime gives them: a
// region within a region has one thread.
extern "C" {

void GOMP_parallel(void (*work)(void*), void* data, unsigned threads, unsigned) {
  using namespace fettle::interp;
  const int wanted = threads == 0 ? team_size() : static_cast<int>(threads);
  if (!t_place.within && wanted > 1 && wanted <= kMostThreads) {
    const int before = team_size();
    set_team_size(wanted);
    pool().run(wanted, work, data);
    set_team_size(before);
    return;
  }
  const Place before = std::exchange(t_place, Place{0, 1, true});
  work(data);
  t_place = before;
}

void GOMP_barrier() {
  if (fettle::interp::t_place.count > 1) fettle::interp::pool().barrier();
}

int omp_get_thread_num() {
  return fettle::interp::t_place.index;
}
int omp_get_num_threads() {
  return fettle::interp::t_place.count;
}
int omp_get_max_threads() {
  return fettle::interp::team_size();
}
int omp_in_parallel() {
  return fettle::interp::t_place.count > 1 ? 1 : 0;
}
void omp_set_num_threads(int threads) {
  fettle::interp::set_team_size(threads);
}

}  // extern "C"
