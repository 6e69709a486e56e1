#include "ops/run_text.h"

namespace fettle::test {
namespace {

using Floats = std::vector<float>;

TEST(Gather, NegativeIndicesCountFromTheEnd) {
  const std::string graph =
      "g (float[3,2] x, int64[n] i) => (float[n,2] y) { y = Gather<axis = 0>(x, i) }";
  EXPECT_EQ(values<float>(run_one(graph, {{"x", iota({3, 2})}, {"i", longs({-1, 0})}})),
            (Floats{4, 5, 0, 1}));
  for (const int64_t i : {int64_t{3}, int64_t{-4}, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(error_of([&] {
                run_one(graph, {{"x", iota({3, 2})}, {"i", longs({i})}});
              }),
              ErrorCode::kBadInput);
  }
}

TEST(GatherND, ChecksTuples) {
  const std::string graph = "g (float[2,3] x, int64[n,k] i) => (float[] y) { y = GatherND(x, i) }";
  const auto pick = [&](const Longs& tuple) {
    return values<float>(
        run_one(graph, {{"x", iota({2, 3})},
                        {"i", ir::Tensor::of({1, static_cast<int64_t>(tuple.size())}, tuple)}}));
  };
  EXPECT_EQ(pick({1, -1}), (Floats{5}));
  EXPECT_EQ(pick({-1}), (Floats{3, 4, 5}));
  EXPECT_EQ(error_of([&] { pick({1, 3}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { pick({1, 1, 1}); }), ErrorCode::kBadInput);
}

TEST(ScatterElements, LastUpdateWinsAndReductionsAccumulate) {
  const auto scatter = [](const std::string& reduction, const Longs& indices) {
    const std::string graph =
        "g (float[4] x, int64[n] i, float[n] u) => (float[4] y) "
        "{ y = ScatterElements<axis = 0, reduction = \"" +
        reduction + "\">(x, i, u) }";
    return values<float>(run_one(
        graph, {{"x", iota({4})}, {"i", longs(indices)}, {"u", ir::Tensor::of<float>({2}, {5, 7})}},
        18));
  };
  EXPECT_EQ(scatter("none", {1, 1}), (Floats{0, 7, 2, 3}));
  EXPECT_EQ(scatter("add", {1, -3}), (Floats{0, 13, 2, 3}));
  EXPECT_EQ(scatter("max", {3, 0}), (Floats{7, 1, 2, 5}));
  EXPECT_EQ(error_of([&] { scatter("none", {4, 0}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { scatter("mean", {0, 0}); }), ErrorCode::kBadInput);
}

TEST(ScatterND, LeavesItsInputAlone) {
  const ir::Tensor x = iota({3});
  const std::string graph =
      "g (float[3] x, int64[1,1] i, float[1] u) => (float[3] y) { y = ScatterND(x, i, u) }";
  const ir::Tensor y = run_one(graph, {{"x", x},
                                       {"i", ir::Tensor::of<int64_t>({1, 1}, {-1})},
                                       {"u", ir::Tensor::of<float>({1}, {9})}});
  EXPECT_EQ(values<float>(y), (Floats{0, 1, 9}));
  EXPECT_EQ(values<float>(x), (Floats{0, 1, 2}));
}

TEST(OneHot, OutOfRangeIsOff) {
  const std::string graph =
      "g (int64[4] i, int64[1] d, float[2] v) => (float[4,3] y) { y = OneHot(i, d, v) }";
  const ir::Tensor y = run_one(graph, {{"i", longs({0, -1, 3, INT64_MIN})},
                                       {"d", longs({3})},
                                       {"v", ir::Tensor::of<float>({2}, {0, 1})}});
  EXPECT_EQ(values<float>(y), (Floats{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace fettle::test
