#include "ops/run_text.h"

namespace fettle::test {
namespace {

const char* const kReshape = "g (float[a,b,c] x, int64[n] s) => (float[m] y) { y = Reshape(x, s) }";
const char* const kReshapeKeepingZeros =
    "g (float[a,b,c] x, int64[n] s) => (float[m] y) { y = Reshape<allowzero = 1>(x, s) }";

ir::Dims reshaped(const char* graph, ir::Dims from, const Longs& to) {
  std::string text = graph;
  // The declared rank of the result is not at issue.
  text.replace(text.find("float[m] y"), 10, "float[] y");
  return run_one(text, {{"x", iota(std::move(from))}, {"s", longs(to)}}, 14).dims();
}

TEST(Reshape, ZeroCopiesAndMinusOneFills) {
  EXPECT_EQ(reshaped(kReshape, {2, 3, 4}, {0, -1}), (ir::Dims{2, 12}));
  EXPECT_EQ(reshaped(kReshape, {2, 3, 4}, {4, 0, -1}), (ir::Dims{4, 3, 2}));
  EXPECT_EQ(reshaped(kReshape, {2, 0, 4}, {0, 0, 7}), (ir::Dims{2, 0, 7}));
  EXPECT_EQ(reshaped(kReshapeKeepingZeros, {2, 0, 4}, {8, 0, 3}), (ir::Dims{8, 0, 3}));
}

TEST(Reshape, RefusesWhatDoesNotFit) {
  for (const Longs& to : {Longs{5, 5}, Longs{-1, -1}, Longs{-2, 12}, Longs{7, -1},
                          Longs{0, 0, 0, 0}, Longs{INT64_MAX, INT64_MAX, 2}}) {
    EXPECT_EQ(error_of([&] { reshaped(kReshape, {2, 3, 4}, to); }), ErrorCode::kBadInput);
  }
  EXPECT_EQ(error_of([&] {
              reshaped(kReshapeKeepingZeros, {2, 0, 4}, {0, -1});
            }),
            ErrorCode::kBadInput);
}

TEST(Squeeze, OnlyExtentOne) {
  const std::string graph = "g (float[a,b,c] x, int64[n] s) => (float[] y) { y = Squeeze(x, s) }";
  EXPECT_EQ(run_one(graph, {{"x", iota({1, 3, 1})}, {"s", longs({-1})}}).dims(), (ir::Dims{1, 3}));
  EXPECT_EQ(error_of([&] {
              run_one(graph, {{"x", iota({1, 3, 1})}, {"s", longs({1})}});
            }),
            ErrorCode::kBadInput);
}

TEST(Unsqueeze, AxesCountInTheResult) {
  const std::string graph = "g (float[a] x, int64[n] s) => (float[] y) { y = Unsqueeze(x, s) }";
  EXPECT_EQ(run_one(graph, {{"x", iota({5})}, {"s", longs({2, 0})}}).dims(), (ir::Dims{1, 5, 1}));
  for (const Longs& axes : {Longs{0, 0}, Longs{0, -3}, Longs{4}}) {
    EXPECT_EQ(error_of([&] {
                run_one(graph, {{"x", iota({5})}, {"s", longs(axes)}});
              }),
              ErrorCode::kBadInput);
  }
}

TEST(Dropout, InferenceKeepsEverything) {
  const auto out = run_text("g (float[4] x) => (float[4] y, bool[4] m) { y, m = Dropout(x) }",
                            {{"x", iota({4})}});
  EXPECT_EQ(values<float>(out[0].tensor), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(values<uint8_t>(out[1].tensor), (std::vector<uint8_t>{1, 1, 1, 1}));
}

TEST(Dropout, TrainingScalesWhatItKeeps) {
  const std::string graph =
      "g (float[1000] x, float r, bool t) => (float[1000] y, bool[1000] m) "
      "{ y, m = Dropout<seed = 3>(x, r, t) }";
  ir::Tensor ones(ir::DataType::kFloat, {1000});
  for (float& v : ones.mutable_data<float>()) v = 1;
  const interp::Feeds feeds{
      {"x", ones}, {"r", ir::Tensor::scalar(0.75f)}, {"t", ir::Tensor::scalar(true)}};
  const auto out = run_text(graph, feeds);
  const auto again = run_text(graph, feeds);
  EXPECT_TRUE(ir::identical(out[0].tensor, again[0].tensor));
  int kept = 0;
  const auto mask = out[1].tensor.data<uint8_t>();
  for (size_t i = 0; i < 1000; ++i) {
    kept += mask[i];
    EXPECT_EQ(out[0].tensor.data<float>()[i], mask[i] != 0 ? 4.0f : 0.0f);
  }
  EXPECT_NEAR(kept, 250, 60);
}

}  // namespace
}  // namespace fettle::test
