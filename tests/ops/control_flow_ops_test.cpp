#include "ops/run_text.h"

namespace fettle::test {
namespace {

// x is doubled until the condition fails or the trip count is reached; each value is stacked.
const std::string kLoop =
    "g (int64 m, bool c, float[2] x) => (float[2] y, float[t,2] all) {"
    "  y, all = Loop<body = b (int64 i, bool on, float[2] s) => (bool go, float[2] r, float[2] "
    "scan)"
    "    { two = Constant<value_float = 2.0>() r = Mul(s, two) scan = Identity(r)"
    "      five = Constant<value_int = 5>() go = Less(i, five) }>(m, c, x) }";

std::vector<ops::RuntimeValue> looped(int64_t trips, bool condition, int64_t cap = 1000) {
  return run_text(kLoop,
                  {{"m", ir::Tensor::scalar(trips)},
                   {"c", ir::Tensor::scalar(condition)},
                   {"x", ir::Tensor::of<float>({2}, {1, 3})}},
                  17, cap);
}

TEST(Loop, TripCountAndConditionEndIt) {
  const auto counted = looped(3, true);
  EXPECT_EQ(values<float>(counted[0].tensor), (std::vector<float>{8, 24}));
  EXPECT_EQ(values<float>(counted[1].tensor), (std::vector<float>{2, 6, 4, 12, 8, 24}));
  // The condition of iteration 5 ends it after that iteration.
  EXPECT_EQ(looped(INT64_MAX, true)[1].tensor.dims(), (ir::Dims{6, 2}));
}

TEST(Loop, NoIterationGivesEmptyScans) {
  for (const auto& none : {looped(0, true), looped(-5, true), looped(3, false)}) {
    EXPECT_EQ(values<float>(none[0].tensor), (std::vector<float>{1, 3}));
    EXPECT_EQ(none[1].tensor.dims(), (ir::Dims{0, 2}));
  }
}

TEST(Loop, EndlessLoopReachesTheLimit) {
  const std::string endless =
      "g (int64 m, float[2] x) => (float[2] y) {"
      "  y = Loop<body = b (int64 i, bool on, float[2] s) => (bool go, float[2] r)"
      "    { go = Identity(on) r = Identity(s) }>(m, , x) }";
  const interp::Feeds feeds{{"m", ir::Tensor::scalar(INT64_MAX)}, {"x", iota({2})}};
  EXPECT_EQ(error_of([&] { run_text(endless, feeds, 17, 50); }), ErrorCode::kLimit);
  EXPECT_EQ(error_of([&] { looped(100, true, 2); }), ErrorCode::kLimit);
}

TEST(If, BranchesSeeOuterValues) {
  const std::string graph =
      "g (bool c, float[2] x) => (float[2] y) {"
      "  y = If<then_branch = t () => (float[2] a) { a = Neg(x) },"
      "         else_branch = e () => (float[2] b) { b = Identity(x) }>(c) }";
  const auto run = [&](bool c) {
    return values<float>(
        run_one(graph, {{"c", ir::Tensor::scalar(c)}, {"x", ir::Tensor::of<float>({2}, {1, 2})}}));
  };
  EXPECT_EQ(run(true), (std::vector<float>{-1, -2}));
  EXPECT_EQ(run(false), (std::vector<float>{1, 2}));
}

TEST(Scan, AxesAndDirections) {
  // Running sums of the columns from the right, stacked as columns from the right again.
  const std::string graph =
      "g (float[2] s, float[2,3] x) => (float[2] f, float[2,3] y) {"
      "  f, y = Scan<num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1],"
      "              scan_output_axes = [-1], scan_output_directions = [1],"
      "    body = b (float[2] p, float[2] c) => (float[2] n, float[2] o)"
      "      { n = Add(p, c) o = Identity(n) }>(s, x) }";
  const auto out =
      run_text(graph, {{"s", ir::Tensor::of<float>({2}, {0, 0})}, {"x", iota({2, 3})}});
  EXPECT_EQ(values<float>(out[0].tensor), (std::vector<float>{3, 12}));
  EXPECT_EQ(values<float>(out[1].tensor), (std::vector<float>{3, 3, 2, 12, 9, 5}));
}

}  // namespace
}  // namespace fettle::test
