#include "calib/batching.h"

#include <gtest/gtest.h>

#include <cmath>

#include "calib/data_files.h"
#include "calib/table.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::waves;

constexpr int64_t kSamples = 137;  // divides by nothing

struct Calibrated {
  CalibrationTable table;
  int64_t runs = 0;
  std::vector<ir::Tensor> outputs;  // of the first graph output
};

Calibrated calibrated(const ir::Model& model, const ir::Tensor& x, bool exact = false) {
  const test::TempFolder folder;
  test::write_bytes(folder / "x.npy", test::npy(x));
  const auto data = open_dataset(folder / "x.npy", model);
  Calibrated result;
  int64_t before = 0;
  CalibrateOptions options;
  options.executor.exact = exact;
  options.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, data->size());
    EXPECT_GT(done, before);
    before = done;
    ++result.runs;
  };
  options.on_outputs = [&](int64_t first, const std::vector<ops::RuntimeValue>& outputs) {
    EXPECT_EQ(first, static_cast<int64_t>(result.outputs.size()) * data->batch());
    result.outputs.push_back(outputs.front().tensor);
  };
  result.table = calibrate(model, *data, options);
  EXPECT_EQ(before, data->size());
  return result;
}

// The same as one by one, which is how exact execution runs.
void expect_as_singly(const Calibrated& found, const Calibrated& singly) {
  EXPECT_EQ(found.table.samples, singly.table.samples);
  ASSERT_EQ(found.table.tensors.size(), singly.table.tensors.size());
  for (const auto& [name, range] : singly.table.tensors) {
    const TensorRange& other = found.table.tensors.at(name);
    const float width = std::max(range.max - range.min, 1e-3f);
    EXPECT_NEAR(other.min, range.min, 1e-5 * width) << name;
    EXPECT_NEAR(other.max, range.max, 1e-5 * width) << name;
    EXPECT_EQ(other.count, range.count) << name;
    EXPECT_EQ(other.non_finite, range.non_finite) << name;
  }
  ASSERT_EQ(found.outputs.size(), singly.outputs.size());
  for (size_t i = 0; i < singly.outputs.size(); ++i) {
    const ir::Tensor &a = found.outputs[i], &b = singly.outputs[i];
    ASSERT_EQ(a.dims(), b.dims()) << i;
    for (int64_t at = 0; at < a.size(); ++at) {
      const double x = ir::element_as_double(a, at), y = ir::element_as_double(b, at);
      if (!std::isfinite(y)) continue;
      EXPECT_NEAR(x, y, 1e-4 * std::max(1.0, std::abs(y))) << i;
    }
  }
}

void expect_together(const std::string& graph, const ir::Tensor& x) {
  const ir::Model model = test::parse_text_graph(graph);
  const Calibrated found = calibrated(model, x);
  EXPECT_LT(found.runs, kSamples / 4) << graph;
  expect_as_singly(found, calibrated(model, x, true));
}

void expect_one_by_one(const std::string& graph, const ir::Tensor& x) {
  const ir::Model model = test::parse_text_graph(graph);
  const Calibrated found = calibrated(model, x);
  EXPECT_EQ(found.runs, kSamples) << graph;
  expect_as_singly(found, calibrated(model, x, true));
}

TEST(Batching, GivesTheTableOfSingleRuns) {
  expect_together(
      "g (float[N, 2, 5, 5] x) => (float[N, 3] y) <float[3, 2, 1, 1] w = {1, 2, -1, 3, -2, 1}> {\n"
      " c = Conv(x, w)\n r = Relu(c)\n p = GlobalAveragePool(r)\n y = Flatten(p)\n}",
      waves({kSamples, 2, 5, 5}));
}

TEST(Batching, WorksForNumbersThatDivideAndThatDoNot) {
  const std::string graph = "g (float[N, 4] x) => (float[M, 4] y) { t = Tanh(x)\n y = Mul(t, x) }";
  for (const int64_t samples : {31, 128, 129, 133, 143, 144}) {
    const ir::Model model = test::parse_text_graph(graph);
    const ir::Tensor x = waves({samples, 4});
    const Calibrated found = calibrated(model, x);
    EXPECT_EQ(found.runs < samples, samples >= 128) << samples;
    expect_as_singly(found, calibrated(model, x, true));
  }
}

TEST(Batching, CountsWhatIsNotFinite) {
  expect_together("g (float[N, 4] x) => (float[N, 4] y) { y = Log(x) }",
                  waves({kSamples, 4}, 0.5));
}

TEST(Batching, ModelsThatMixSamplesRunOneByOne) {
  const ir::Tensor x = waves({kSamples, 4});
  for (const char* body : {
           "y = Softmax<axis = 0>(x)",
           "m = ReduceMean<axes = [0]>(x)\n y = Sub(x, m)",
           "a = Constant<value = int64 {0}>()\n y = CumSum(x, a)",
           "s = Shape(x)\n f = Cast<to = 1>(s)\n m = ReduceMax(f)\n y = Mul(x, m)",
           "m = ReduceMax<axes = [1], keepdims = 0>(x)\n y = Sub(x, m)",
           "m = ReduceMax<keepdims = 0>(x)\n y = Div(x, m)",
           "q, s, z = DynamicQuantizeLinear(x)\n y = DequantizeLinear(q, s, z)",
       }) {
    expect_one_by_one(std::string("g (float[N, 4] x) => (float[N, 4] y) {\n ") + body + "\n}", x);
  }
}

TEST(Batching, ValuesThatAreNotPerSampleCountAsInSingleRuns) {
  expect_one_by_one(
      "g (float[N, 4] x) => (float[N, 4] y) {\n"
      " m = ReduceMin<axes = [0]>(x)\n"
      " z = Sub(m, m)\n y = Add(x, z)\n}",
      waves({kSamples, 4}));
}

TEST(Batching, FixedExtentsAreKept) {
  const ir::Tensor x = waves({kSamples, 4});
  expect_one_by_one("g (float[1, 4] x) => (float[1, 4] y) { y = Tanh(x) }", x);
  expect_one_by_one(
      "g (float[N, 4] x) => (float[1, 4] y) <int64[2] s = {1, 4}> { y = Reshape(x, s) }", x);
  const ir::Model pairs =
      test::parse_text_graph("g (float[2, 4] x) => (float[2, 4] y) { y = Tanh(x) }");
  EXPECT_EQ(calibrated(pairs, waves({256, 4})).runs, 128);
}

// A trial on the first samples would not show it.
TEST(Batching, ModelsThatDropSamplesRunOneByOne) {
  ir::Tensor x = waves({kSamples, 4}, 2);
  for (int64_t i = 0; i < 4; ++i) x.mutable_data<float>()[static_cast<size_t>(50 * 4 + i)] = -1;
  const ir::Model model = test::parse_text_graph(
      "g (float[N, 4] x) => (float[M, 4] y) <float zero = {0}> {\n"
      " m = ReduceMax<axes = [1], keepdims = 0>(x)\n c = Greater(m, zero)\n"
      " y = Compress<axis = 0>(x, c)\n}");
  const Calibrated found = calibrated(model, x);
  EXPECT_EQ(found.runs, kSamples);
  EXPECT_EQ(found.outputs.at(50).dim(0), 0);
  expect_as_singly(found, calibrated(model, x, true));
}

}  // namespace
}  // namespace fettle::calib
