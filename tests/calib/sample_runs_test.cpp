// Lanes side by side give what one lane gives.
#include "calib/sample_runs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "calib/data_files.h"
#include "ir/buffer.h"
#include "ir/error.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

struct Calibrated {
  CalibrationTable table;
  std::vector<ir::Tensor> outputs;
};

Calibrated calibrated(const ir::Model& model, const ir::Tensor& x, int threads, bool exact) {
  const test::TempFolder folder;
  test::write_bytes(folder / "x.npy", test::npy(x));
  const auto data = open_dataset(folder / "x.npy", model);
  Calibrated result;
  CalibrateOptions options;
  options.executor.exact = exact;
  options.executor.threads = threads;
  options.on_outputs = [&](int64_t, const std::vector<ops::RuntimeValue>& outputs) {
    result.outputs.push_back(outputs.front().tensor);
  };
  result.table = calibrate(model, *data, options);
  return result;
}

ir::Tensor waves(const ir::Dims& dims) {
  ir::Tensor t(ir::DataType::kFloat, dims);
  auto values = t.mutable_data<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i * i % 1009)));
  }
  return t;
}

void expect_the_same_for_any_threads(const char* graph, const ir::Tensor& x, bool exact = false) {
  const ir::Model model = test::parse_text_graph(graph);
  const Calibrated one = calibrated(model, x, 1, exact);
  ASSERT_FALSE(one.outputs.empty());
  for (const int threads : {2, 3}) {
    const Calibrated more = calibrated(model, x, threads, exact);
    EXPECT_EQ(table_to_json(more.table), table_to_json(one.table)) << threads;
    ASSERT_EQ(more.outputs.size(), one.outputs.size());
    for (size_t i = 0; i < one.outputs.size(); ++i) {
      EXPECT_TRUE(ir::identical(more.outputs[i], one.outputs[i])) << i << ", " << threads;
    }
  }
}

constexpr const char* kConvolutions =
    "g (float[%, 2, 9, 9] x) => (float[M, 3] y) <float[3, 2, 3, 3] w = {1, 2, -1, 3, -2, 1, 4, 1,"
    " 2, 1, 2, -1, 3, -2, 1, 4, 1, 2, 1, 2, -1, 3, -2, 1, 4, 1, 2, 1, 2, -1, 3, -2, 1, 4,"
    " 1, 2, 1, 2, -1, 3, -2, 1, 4, 1, 2, 1, 2, -1, 3, -2, 1, 4, 1, 2}> {\n"
    " c = Conv(x, w)\n s = Sigmoid(c)\n m = Mul(c, s)\n p = GlobalAveragePool(m)\n"
    " y = Flatten(p)\n}";

std::string convolutions(const std::string& extent) {
  std::string text = kConvolutions;
  return text.replace(text.find('%'), 1, extent);
}

TEST(SampleRuns, NumbersDoNotDependOnThreads) {
  expect_the_same_for_any_threads(convolutions("1").c_str(), waves({41, 2, 9, 9}));
  expect_the_same_for_any_threads(convolutions("2").c_str(), waves({42, 2, 9, 9}));
  expect_the_same_for_any_threads(convolutions("N").c_str(), waves({141, 2, 9, 9}));
  expect_the_same_for_any_threads(convolutions("1").c_str(), waves({41, 2, 9, 9}), true);
}

TEST(SampleRuns, FewSamplesAndMoreThreadsThanSamples) {
  for (const int64_t samples : {1, 2, 3, 4, 5, 7}) {
    expect_the_same_for_any_threads(convolutions("1").c_str(), waves({samples, 2, 9, 9}));
  }
}

TEST(SampleRuns, SamplesOfOtherShapesInBetween) {
  // Every sample selects another number of rows.
  expect_the_same_for_any_threads(
      "g (float[1, 6] x) => (float[1, K] y) <float zero = {0}, int64[1] flat = {-1}> {\n"
      " f = Reshape(x, flat)\n c = Greater(f, zero)\n y = Compress<axis = 1>(x, c)\n}",
      waves({60, 6}));
}

TEST(SampleRuns, AnErrorIsThatOfTheFirstSampleThatFails) {
  ir::Tensor rows(ir::DataType::kInt64, {64, 1});
  for (int64_t i = 0; i < 64; ++i) {
    rows.mutable_data<int64_t>()[static_cast<size_t>(i)] = i < 40 ? i % 3 : i;
  }
  const ir::Model model = test::parse_text_graph(
      "g (int64[1, 1] x) => (float[1, 1] y) <float[3] table = {1, 2, 3}> { y = Gather(table, x) }");
  for (int round = 0; round < 10; ++round) {
    try {
      calibrated(model, rows, 3, false);
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("40"), std::string::npos) << error.what();
    }
  }
}

// Values that are large beside the limit leave one lane, whose values alone fit.
TEST(SampleRuns, LanesKeepToTheMemoryLimit) {
  const ir::Model model = test::parse_text_graph(
      "g (float[1, 65536] x) => (float[1, 1] y) {\n"
      " t = Tanh(x)\n m = Mul(t, x)\n y = ReduceMax<axes = [1]>(m)\n}");
  const ir::Tensor x = waves({16, 65536});
  const size_t before = ir::memory_limit();
  ir::set_memory_limit(ir::memory_in_use() + (size_t{5} << 18));
  const Calibrated found = calibrated(model, x, 8, false);
  ir::set_memory_limit(before);
  EXPECT_EQ(found.outputs.size(), 16u);
}

}  // namespace
}  // namespace fettle::calib
