#include "calib/sample_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "ir/error.h"

namespace fettle::calib {
namespace {

// Sample i is the number i; reading `bad` throws.
class Numbers : public Dataset {
 public:
  Numbers(int64_t size, int64_t batch, int64_t bad = -1) : size_(size), batch_(batch), bad_(bad) {}
  int64_t size() const override { return size_; }
  int64_t batch() const override { return batch_; }
  bool batched() const override { return true; }
  bool uniform() const override { return true; }
  interp::Feeds read(int64_t first) override {
    EXPECT_EQ(first, next_) << "samples are read in order";
    next_ += batch_;
    if (first == bad_) fail(ErrorCode::kBadInput, "sample {} cannot be read", first);
    return {{"x", ops::RuntimeValue(ir::Tensor::scalar<int64_t>(first))}};
  }
  const std::optional<std::vector<int64_t>>& labels() const override { return labels_; }

 private:
  int64_t size_, batch_, bad_;
  int64_t next_ = 0;
  std::optional<std::vector<int64_t>> labels_;
};

int64_t number_of(const Outputs& outputs) {
  return outputs.front().tensor.data<int64_t>()[0];
}

using Compute = std::function<Outputs(const interp::Feeds& feeds)>;

// What passes through `threads` lanes that each take a while, for what they are given and none the
// same.
void pass_all(SampleQueue& queue, int threads, const Compute& compute) {
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < threads; ++lane) {
    lanes.emplace_back([&, lane] {
      std::mt19937 random(static_cast<unsigned>(lane));
      while (const auto unit = queue.next()) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 300));
        UnitOutputs outputs;
        try {
          for (const interp::Feeds& feeds : unit->runs) outputs.runs.push_back(compute(feeds));
        } catch (...) {
          outputs.error = std::current_exception();
        }
        queue.finish(*unit, std::move(outputs));
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

Outputs same(const interp::Feeds& feeds) {
  return {feeds.at("x")};
}

TEST(SampleQueue, DeliversEverySampleOnceInOrder) {
  for (const int64_t unit_runs : {1, 3}) {
    for (const int64_t batch : {1, 2}) {
      Numbers data(120, batch);
      std::vector<int64_t> seen, done;
      const SampleSinks sinks{[&](int64_t first, const Outputs& outputs) {
                                EXPECT_EQ(number_of(outputs), first);
                                seen.push_back(first);
                              },
                              [&](int64_t now, int64_t total) {
                                EXPECT_EQ(total, 120);
                                done.push_back(now);
                              }};
      SampleQueue queue(data, 120, sinks);
      queue.set_unit_runs(unit_runs);
      pass_all(queue, 4, same);
      queue.rethrow();
      ASSERT_EQ(seen.size(), static_cast<size_t>(120 / batch));
      EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
      EXPECT_EQ(done.size(), static_cast<size_t>(120 / batch / unit_runs));
      EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
      EXPECT_EQ(done.back(), 120);
    }
  }
}

// Three outputs may wait for one that lasts: the others run ahead of it so far and no further.
TEST(SampleQueue, LargeOutputsAreHeldBack) {
  Numbers data(64, 1);
  std::atomic<int64_t> made{0};
  std::atomic<bool> went_ahead{false};
  int64_t most = 0;
  const SampleSinks sinks{[&](int64_t first, const Outputs&) {
                            most = std::max(most, made.load() - first);
                          },
                          nullptr};
  SampleQueue queue(data, 64, sinks);
  queue.expect_outputs({ops::RuntimeValue(ir::Tensor(ir::DataType::kFloat, {1000}))}, 12'100);
  pass_all(queue, 2, [&](const interp::Feeds& feeds) {
    if (number_of({feeds.at("x")}) == 0) {
      for (int i = 0; i < 5000 && made < 3; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      went_ahead = made == 3;
    }
    ++made;
    return same(feeds);
  });
  queue.rethrow();
  EXPECT_TRUE(went_ahead);
  EXPECT_LE(most, 4);
}

TEST(SampleQueue, TheFirstSampleThatFailsIsTheOneReported) {
  for (int round = 0; round < 20; ++round) {
    Numbers data(64, 1, 33);  // reading fails early, while sample 30 is under way
    int64_t delivered = 0;
    const SampleSinks sinks{[&](int64_t, const Outputs&) { ++delivered; }, nullptr};
    SampleQueue queue(data, 64, sinks);
    pass_all(queue, 4, [](const interp::Feeds& feeds) {
      const int64_t number = number_of({feeds.at("x")});
      if (number == 30) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (number >= 30) throw std::runtime_error(std::to_string(number));
      return same(feeds);
    });
    EXPECT_EQ(delivered, 30);
    try {
      queue.rethrow();
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "30");
    }
  }
}

// Of a unit of several runs, what lies before a sample that cannot be read counts.
TEST(SampleQueue, SamplesBeforeAnUnreadableOneAreDelivered) {
  Numbers data(64, 1, 37);
  int64_t delivered = 0, done = 0;
  const SampleSinks sinks{[&](int64_t, const Outputs&) { ++delivered; },
                          [&](int64_t now, int64_t) { done = now; }};
  SampleQueue queue(data, 64, sinks);
  queue.set_unit_runs(8);
  pass_all(queue, 3, same);
  EXPECT_EQ(delivered, 37);
  EXPECT_EQ(done, 37);
  EXPECT_THROW(queue.rethrow(), Error);
}

TEST(SampleQueue, AnErrorInReadingOrInASinkEndsIt) {
  Numbers unreadable(64, 1, 5);
  const SampleSinks none;
  SampleQueue first(unreadable, 64, none);
  pass_all(first, 3, same);
  EXPECT_THROW(first.rethrow(), Error);

  Numbers data(64, 1);
  int64_t delivered = 0;
  const SampleSinks sinks{[&](int64_t, const Outputs&) {
                            if (++delivered == 7) throw std::runtime_error("full");
                          },
                          nullptr};
  SampleQueue second(data, 64, sinks);
  pass_all(second, 3, same);
  EXPECT_EQ(delivered, 7);
  EXPECT_THROW(second.rethrow(), std::runtime_error);
}

}  // namespace
}  // namespace fettle::calib
