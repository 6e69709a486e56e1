#include "report/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "report/json.h"

namespace fettle::report {
namespace {

using ir::Tensor;

TEST(OutputComparison, FiguresOfAKnownPair) {
  OutputComparison c;
  accumulate(c, Tensor::of<float>({4}, {1, 2, -3, 4}), Tensor::of<float>({4}, {1, 2.5f, -3, 3}));
  EXPECT_EQ(c.elements, 4);
  EXPECT_DOUBLE_EQ(c.max_abs, 1.0);
  EXPECT_DOUBLE_EQ(c.max_rel, 0.25);
  EXPECT_NEAR(c.sqnr_db(), 10 * std::log10(30.0 / 1.25), 1e-9);
  EXPECT_NEAR(c.cosine(), (1 + 5 + 9 + 12) / std::sqrt(30.0) / std::sqrt(1 + 6.25 + 9 + 9), 1e-12);
  EXPECT_DOUBLE_EQ(c.reference_min, -3);
  EXPECT_DOUBLE_EQ(c.reference_max, 4);
}

TEST(OutputComparison, EqualOutputsHaveInfiniteSqnrAndBoundedJson) {
  OutputComparison c;
  accumulate(c, Tensor::of<float>({2}, {1, 2}), Tensor::of<float>({2}, {1, 2}));
  EXPECT_TRUE(std::isinf(c.sqnr_db()));
  EXPECT_EQ(to_json(c)["sqnr_db"], 999.0);
  EXPECT_DOUBLE_EQ(c.cosine(), 1.0);
}

TEST(OutputComparison, NanEqualsNanAndNothingElse) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  OutputComparison same;
  accumulate(same, Tensor::of<float>({3}, {nan, inf, 1}), Tensor::of<float>({3}, {nan, inf, 1}));
  EXPECT_EQ(same.mismatched_special, 0);
  EXPECT_EQ(same.max_abs, 0);
  OutputComparison other;
  accumulate(other, Tensor::of<float>({2}, {nan, inf}), Tensor::of<float>({2}, {1, -inf}));
  EXPECT_EQ(other.mismatched_special, 2);
  EXPECT_TRUE(std::isinf(other.max_abs));
}

TEST(OutputComparison, AccumulatesOverRunsAndRejectsOtherShapes) {
  OutputComparison c;
  accumulate(c, Tensor::of<float>({1}, {2}), Tensor::of<float>({1}, {1}));
  accumulate(c, Tensor::of<float>({1}, {2}), Tensor::of<float>({1}, {2}));
  EXPECT_EQ(c.elements, 2);
  EXPECT_DOUBLE_EQ(c.mean_squared_error(), 0.5);
  EXPECT_THROW(accumulate(c, Tensor::of<float>({1}, {2}), Tensor::of<float>({1, 1}, {2})), Error);
}

TEST(TopClasses, FirstOfEqualScoresWinsAndUnitAxesAreIgnored) {
  EXPECT_EQ(top_classes(Tensor::of<float>({2, 3}, {0, 5, 5, 1, 0, -1})),
            (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(top_classes(Tensor::of<float>({1, 2, 1, 1}, {0, 1})), (std::vector<int64_t>{1}));
  EXPECT_FALSE(looks_like_classes(Tensor::of<float>({1, 2, 2}, {0, 1, 2, 3})));
  EXPECT_FALSE(looks_like_classes(Tensor::of<float>({2}, {0, 1})));
}

TEST(AccuracyCounter, TopOneTopFiveAndLabelsOutsideTheClasses) {
  AccuracyCounter counter;
  const auto scores = Tensor::of<float>({3, 6}, {6, 5, 4, 3, 2, 1, 6, 5, 4, 3, 2, 1, 6, 5, 4, 3, 2, 1});
  ASSERT_TRUE(counter.add(scores, {0, 4, 7}, 0));
  EXPECT_EQ(counter.samples, 3);
  EXPECT_EQ(counter.top1, 1);
  EXPECT_EQ(counter.top5, 2);
}

TEST(AccuracyCounter, ScoresOneProbabilityPerSampleAtOneHalf) {
  AccuracyCounter counter;
  ASSERT_TRUE(counter.add(Tensor::of<float>({4, 1}, {0.9f, 0.2f, 0.5f, 0.7f}), {1, 0, 1, 0}, 0));
  EXPECT_EQ(counter.top1, 2);
}

TEST(AccuracyCounter, EqualScoresAreNotAllRight) {
  AccuracyCounter counter;
  ASSERT_TRUE(counter.add(Tensor::of<float>({2, 2}, {1, 1, 1, 1}), {0, 1}, 0));
  EXPECT_EQ(counter.top1, 1);
}

TEST(AccuracyCounter, TooFewLabelsIsAnError) {
  AccuracyCounter counter;
  EXPECT_THROW(counter.add(Tensor::of<float>({2, 2}, {1, 0, 0, 1}), {0}, 0), Error);
}

}  // namespace
}  // namespace fettle::report
