#include "interp/team.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "interp/parallel.h"
#include "interp/subnormals.h"

extern "C" {
void GOMP_parallel(void (*work)(void*), void* data, unsigned threads, unsigned flags);
void GOMP_barrier();
int omp_get_thread_num();
int omp_get_num_threads();
int omp_in_parallel();
}

namespace fettle::interp {
namespace {

class TeamOf {
 public:
  explicit TeamOf(int size) : before_(team_size()) { set_team_size(size); }
  ~TeamOf() { set_team_size(before_); }

 private:
  int before_;
};

TEST(Team, EveryIndexIsVisitedOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    const TeamOf team(threads);
    for (const int64_t count : {0, 1, 2, 3, 7, 100, 4097}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
      for_each_index(count, true, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; });
      for (const auto& v : visits) EXPECT_EQ(v.load(), 1);
    }
  }
}

TEST(Team, ManyShortRegionsOneAfterTheOther) {
  const TeamOf team(4);
  int64_t sum = 0;
  for (int round = 0; round < 20000; ++round) {
    std::array<int64_t, 4> parts{};
    for_each_index(4, true, [&](int64_t i) { parts[static_cast<size_t>(i)] = round + i; });
    sum += std::accumulate(parts.begin(), parts.end(), int64_t{0});
  }
  EXPECT_EQ(sum, int64_t{4} * 20000 * 19999 / 2 + 6 * 20000);
}

TEST(Team, RegionsWithinRegionsRunInTheThreadThatOpensThem) {
  const TeamOf team(3);
  std::atomic<int> visits{0};
  for_each_index(3, true, [&](int64_t) {
    const auto outer = std::this_thread::get_id();
    for_each_index(5, true, [&](int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      ++visits;
    });
  });
  EXPECT_EQ(visits.load(), 15);
}

TEST(Team, SeveralThreadsMayOpenRegionsAtTheSameTime) {
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      set_team_size(2);
      for (int round = 0; round < 500; ++round) {
        for_each_index(8, true, [&](int64_t i) { sum += i; });
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(sum.load(), 3 * 500 * 28);
}

TEST(Team, AnExceptionReachesTheCaller) {
  const TeamOf team(2);
  EXPECT_THROW(for_each_index(10, true,
                              [](int64_t i) {
                                if (i == 7) throw std::runtime_error("7");
                              }),
               std::runtime_error);
  int visits = 0;
  for_each_index(1, true, [&](int64_t) { ++visits; });
  EXPECT_EQ(visits, 1);
}

TEST(Team, SubnormalsAreTreatedAsTheCallerTreatsThem) {
  const TeamOf team(2);
  volatile float tiny = 1e-39f;
  std::array<float, 64> kept{}, flushed{};
  for_each_index(64, true, [&](int64_t i) { kept[static_cast<size_t>(i)] = tiny * 0.5f; });
  {
    const FlushSubnormals flush;
    for_each_index(64, true, [&](int64_t i) { flushed[static_cast<size_t>(i)] = tiny * 0.5f; });
  }
  for (const float v : kept) EXPECT_GT(v, 0.0f);
  if (kFlush != 0) {
    for (const float v : flushed) EXPECT_EQ(v, 0.0f);
  }
}

// What oneDNN does: threads that know their number and wait for each other.
TEST(Team, OpenMpRegionsHaveNumbersAndBarriers) {
  struct Shared {
    std::atomic<int> before{0};
    std::atomic<int> wrong{0};
  } shared;
  for (const unsigned threads : {1u, 2u, 4u}) {
    for (int round = 0; round < 200; ++round) {
      shared.before = 0;
      GOMP_parallel(
          [](void* data) {
            auto& s = *static_cast<Shared*>(data);
            const int count = omp_get_num_threads();
            if (omp_get_thread_num() < 0 || omp_get_thread_num() >= count) ++s.wrong;
            if (omp_in_parallel() != (count > 1 ? 1 : 0)) ++s.wrong;
            for (int stage = 1; stage <= 3; ++stage) {
              ++s.before;
              GOMP_barrier();
              if (s.before.load() < stage * count) ++s.wrong;
              GOMP_barrier();
            }
          },
          &shared, threads, 0);
      EXPECT_EQ(shared.before.load(), 3 * static_cast<int>(threads));
    }
  }
  EXPECT_EQ(shared.wrong.load(), 0);
  EXPECT_EQ(omp_get_num_threads(), 1);
}

}  // namespace
}  // namespace fettle::interp
