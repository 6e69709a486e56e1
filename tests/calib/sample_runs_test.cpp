// Lanes side by side, and samples together, give what single runs on one lane give.
#include "calib/sample_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

#include "calib/data_files.h"
#include "interp/team.h"
#include "ir/buffer.h"
#include "ir/error.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::waves;

// Tensors as samples: of any shapes, unless they are rows of one array.
class Tensors : public Dataset {
 public:
  explicit Tensors(std::vector<ir::Tensor> samples) : samples_(std::move(samples)) {}
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  int64_t batch() const override { return 1; }
  bool batched() const override { return true; }
  bool uniform() const override {
    return std::all_of(samples_.begin(), samples_.end(),
                       [&](const ir::Tensor& t) { return t.dims() == samples_[0].dims(); });
  }
  interp::Feeds read(int64_t first) override {
    return {{"x", ops::RuntimeValue(samples_[static_cast<size_t>(first)])}};
  }
  const std::optional<std::vector<int64_t>>& labels() const override { return labels_; }

 private:
  std::vector<ir::Tensor> samples_;
  std::optional<std::vector<int64_t>> labels_;
};

struct Ran {
  SampleRuns how;
  std::map<std::string, TensorRange> ranges;
  std::vector<ir::Tensor> outputs;
};

Ran ran(const ir::Model& model, Dataset& data, int threads, bool exact = false) {
  Ran result;
  interp::ExecutorOptions options;
  options.exact = exact;
  options.threads = threads;
  const SampleSinks sinks{[&](int64_t first, const Outputs& outputs) {
                            EXPECT_EQ(first, static_cast<int64_t>(result.outputs.size()) *
                                                 data.batch());
                            result.outputs.push_back(outputs.front().tensor);
                          },
                          nullptr};
  const std::string output = model.graph->outputs()[0]->name();
  result.how =
      run_samples(model, data, data.size(), options, sinks, {{"x", output}, &result.ranges});
  return result;
}

Ran ran(const ir::Model& model, const ir::Tensor& x, int threads, bool exact = false) {
  const test::TempFolder folder;
  test::write_bytes(folder / "x.npy", test::npy(x));
  return ran(model, *open_dataset(folder / "x.npy", model), threads, exact);
}

void expect_same(const Ran& a, const Ran& b) {
  EXPECT_EQ(a.how.runs_of_unit, b.how.runs_of_unit);
  ASSERT_EQ(a.ranges.size(), b.ranges.size());
  for (const auto& [name, range] : a.ranges) {
    const TensorRange& other = b.ranges.at(name);
    EXPECT_EQ(range.min, other.min) << name;
    EXPECT_EQ(range.max, other.max) << name;
    EXPECT_EQ(range.count, other.count) << name;
  }
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (size_t i = 0; i < a.outputs.size(); ++i) {
    EXPECT_TRUE(ir::identical(a.outputs[i], b.outputs[i])) << i;
  }
}

// Lanes for `threads` threads and enough samples.
int lanes_of(int threads) {
  return std::min(threads, interp::available_cores());
}

std::string convolutions(const std::string& extent) {
  std::string weights = "1";
  for (int i = 1; i < 54; ++i) weights += "," + std::to_string(i % 7 - 3);
  return "g (float[" + extent + ", 2, 9, 9] x) => (float[M, 3] y) <float[3, 2, 3, 3] w = {" +
         weights + "}> {\n c = Conv(x, w)\n s = Sigmoid(c)\n m = Mul(c, s)\n"
         " p = GlobalAveragePool(m)\n y = Flatten(p)\n}";
}

TEST(SampleRuns, NumbersDoNotDependOnThreads) {
  struct Case {
    std::string extent;
    int64_t samples;
    bool exact;
    bool together;
  };
  for (const Case& c : {Case{"1", 41, false, false}, Case{"2", 62, false, false},
                        Case{"N", 141, false, true}, Case{"N", 41, true, false}}) {
    const ir::Model model = test::parse_text_graph(convolutions(c.extent));
    const ir::Tensor x = waves({c.samples, 2, 9, 9});
    const Ran one = ran(model, x, 1, c.exact);
    EXPECT_EQ(one.how.lanes, 1);
    EXPECT_EQ(one.how.runs_of_unit > 1, c.together);
    for (const int threads : {2, 3}) {
      const Ran more = ran(model, x, threads, c.exact);
      EXPECT_EQ(more.how.lanes, lanes_of(threads));
      expect_same(more, one);
    }
  }
}

TEST(SampleRuns, SamplesForEveryLane) {
  const ir::Model model = test::parse_text_graph(convolutions("1"));
  for (const int64_t samples : {1, 2, 7, 15, 16, 17}) {
    const ir::Tensor x = waves({samples, 2, 9, 9});
    const Ran more = ran(model, x, 2);
    EXPECT_EQ(more.how.lanes, samples < 16 ? 1 : lanes_of(2));
    expect_same(more, ran(model, x, 1));
  }
}

// Outputs whose shapes depend on the data.
TEST(SampleRuns, OutputsOfDifferentShapes) {
  const ir::Model model = test::parse_text_graph(
      "g (float[1, 6] x) => (float[1, K] y) <float zero = {0}, int64[1] flat = {-1}> {\n"
      " f = Reshape(x, flat)\n c = Greater(f, zero)\n y = Compress<axis = 1>(x, c)\n}");
  const ir::Tensor x = waves({60, 6});
  const Ran more = ran(model, x, 2);
  EXPECT_EQ(more.how.lanes, lanes_of(2));
  expect_same(more, ran(model, x, 1));
}

// An executor plans for the shapes that it meets first, so that who meets them must not matter.
TEST(SampleRuns, InputsOfDifferentShapesHaveOneLane) {
  std::vector<ir::Tensor> samples;
  for (int64_t i = 0; i < 40; ++i) samples.push_back(waves({1, i % 3 == 0 ? 48 : 80}));
  const ir::Model model = test::parse_text_graph(
      "g (float[1, S] x) => (float[1, S] y) { t = Tanh(x)\n y = Mul(t, x) }");
  Tensors data(samples);
  const Ran more = ran(model, data, 2);
  EXPECT_EQ(more.how.lanes, 1);
  expect_same(more, ran(model, data, 1));
}

TEST(SampleRuns, AnErrorIsThatOfTheFirstSampleThatFails) {
  ir::Tensor rows(ir::DataType::kInt64, {64, 1});
  for (int64_t i = 0; i < 64; ++i) {
    rows.mutable_data<int64_t>()[static_cast<size_t>(i)] = i < 40 ? i % 3 : 100 + i;
  }
  const ir::Model model = test::parse_text_graph(
      "g (int64[1, 1] x) => (float[1, 1] y) <float[3] table = {1, 2, 3}> { y = Gather(table, x) }");
  for (int round = 0; round < 10; ++round) {
    try {
      ran(model, rows, 2);
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("sample 40: node"), 0u) << error.what();
      EXPECT_NE(std::string(error.what()).find("index 140"), std::string::npos) << error.what();
    }
  }
}

// Samples of which 100 cannot be run and 103 cannot be read.
class Faulty : public Dataset {
 public:
  int64_t size() const override { return 160; }
  int64_t batch() const override { return 1; }
  bool batched() const override { return true; }
  bool uniform() const override { return true; }
  interp::Feeds read(int64_t first) override {
    if (first == 103) fail(ErrorCode::kBadInput, "sample 103 cannot be read");
    const int64_t divisor = first == 100 ? 0 : 1;
    return {{"x", ops::RuntimeValue(ir::Tensor::of<int64_t>({1, 1}, {divisor}))}};
  }
  const std::optional<std::vector<int64_t>>& labels() const override { return labels_; }

 private:
  std::optional<std::vector<int64_t>> labels_;
};

// The two are in one unit of samples that run together.
TEST(SampleRuns, AnErrorOfARunComesBeforeThatOfReadingALaterSample) {
  const ir::Model model =
      test::parse_text_graph("g (int64[N, 1] x) => (int64[N, 1] y) { y = Div(x, x) }");
  for (const int threads : {1, 2}) {
    Faulty data;
    int64_t seen = 0;
    interp::ExecutorOptions options;
    options.threads = threads;
    const SampleSinks sinks{[&](int64_t first, const Outputs&) { EXPECT_EQ(first, seen++); },
                            nullptr};
    const std::string message =
        test::error_of([&] { run_samples(model, data, data.size(), options, sinks); });
    EXPECT_EQ(message.find("sample 100: "), 0u) << message;
    EXPECT_EQ(seen, 100) << "all before it are delivered";
  }
}

// A lane that holds more than a share of what is free, in plan, values or temporaries, stays alone.
TEST(SampleRuns, LanesKeepToTheMemoryLimit) {
  const ir::Model model = test::parse_text_graph(
      "g (float[1, 65536] x) => (float[1, 1] y) {\n"
      " t = Tanh(x)\n m = Mul(t, x)\n y = ReduceMax<axes = [1]>(m)\n}");
  const ir::Tensor x = waves({16, 65536});  // 256 KiB each
  const size_t before = ir::memory_limit();
  const auto lanes_within = [&](size_t bytes) {
    ir::set_memory_limit(ir::memory_in_use() + bytes);
    const Ran found = ran(model, x, 2);
    ir::set_memory_limit(before);
    EXPECT_EQ(found.outputs.size(), 16u);
    return found.how.lanes;
  };
  EXPECT_EQ(lanes_within(size_t{3} << 18), 1);
  EXPECT_EQ(lanes_within(size_t{64} << 20), lanes_of(2));
}

// Bytes that become four times as many when the executor has unpacked them.
TEST(SampleRuns, LanesThatUnpackMuchStayAlone) {
  const ir::Model model = test::parse_text_graph(
      "g (float[1, 4096] x) => (float[1, 4096] y) <int8[1, 1] w = {1}, float s = {0.5}> {\n"
      " d = DequantizeLinear(w, s)\n y = MatMul(x, d)\n}");
  ir::Tensor weights(ir::DataType::kInt8, {4096, 4096});
  std::fill_n(weights.mutable_bytes(), weights.byte_size(), std::byte{1});
  model.graph->find("w")->set_constant(std::move(weights));
  const Ran found = ran(model, waves({16, 4096}), 2);
  EXPECT_EQ(found.how.lanes, 1);
}

// A sink may wait for another thread that runs models of its own.
TEST(SampleRuns, SinksMayWaitForOtherThreads) {
  const ir::Model model = test::parse_text_graph(convolutions("1"));
  Tensors data(std::vector<ir::Tensor>(32, waves({1, 2, 9, 9})));
  int64_t seen = 0;
  const SampleSinks sinks{[&](int64_t, const Outputs&) {
                            std::jthread([&] {
                              interp::Executor own(model);
                              own.run({{"x", ops::RuntimeValue(waves({1, 2, 9, 9}))}});
                              ++seen;
                            });
                          },
                          nullptr};
  interp::ExecutorOptions options;
  options.threads = 2;
  run_samples(model, data, 32, options, sinks);
  EXPECT_EQ(seen, 32);
}

TEST(SampleRuns, ThreadCountsAreChecked) {
  const ir::Model model = test::parse_text_graph(convolutions("1"));
  for (const int64_t samples : {2, 64}) {
    EXPECT_THROW(ran(model, waves({samples, 2, 9, 9}), -1), Error);
  }
}

}  // namespace
}  // namespace fettle::calib
