#include "report/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "report/class_scores.h"
#include "report/json.h"

namespace fettle::report {
namespace {

using ir::Tensor;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

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
  EXPECT_FALSE(score_shape(Tensor::of<float>({1, 2, 2}, {0, 1, 2, 3})));
  EXPECT_FALSE(score_shape(Tensor::of<float>({2}, {0, 1})));
}

TEST(TopClasses, RowsWithoutAFiniteLargestScoreHaveNone) {
  EXPECT_EQ(top_classes(Tensor::of<float>({4, 2}, {kNan, 1, -kInf, -kInf, kInf, 0, -kInf, 3})),
            (std::vector<int64_t>{-1, -1, -1, 1}));
}

TEST(OutputComparison, SpecialValuesOfTheOtherModelAreTheWorstScore) {
  OutputComparison c;
  accumulate(c, Tensor::of<float>({2}, {1, 2}), Tensor::of<float>({2}, {kNan, 2}));
  EXPECT_EQ(to_json(c)["sqnr_db"], -999.0);
  EXPECT_EQ(c.cosine(), 0);
  EXPECT_TRUE(std::isinf(c.mean_squared_error()));
}

TEST(OutputComparison, RangeStartsAtTheFirstFiniteElement) {
  OutputComparison c;
  accumulate(c, Tensor::of<float>({3}, {kNan, 5, 7}), Tensor::of<float>({3}, {kNan, 5, 7}));
  EXPECT_EQ(c.reference_min, 5);
  EXPECT_EQ(c.reference_max, 7);
}

TEST(AccuracyCounter, TopOneAndTopFive) {
  AccuracyCounter counter;
  counter.add_scores(Tensor::of<float>({2, 6}, {6, 5, 4, 3, 2, 1, 6, 5, 4, 3, 2, 1}), {0, 4}, 0);
  EXPECT_EQ(counter.samples, 2);
  EXPECT_EQ(counter.top1, 1);
  EXPECT_EQ(counter.top5, 2);
}

TEST(AccuracyCounter, ScoresOneProbabilityPerSampleAtOneHalf) {
  AccuracyCounter counter;
  counter.add_probabilities(Tensor::of<float>({5, 1}, {0.9f, 0.2f, 0.5f, 0.7f, kNan}), {1, 0, 1, 0, 0}, 0);
  EXPECT_EQ(counter.top1, 2);
}

TEST(AccuracyCounter, EqualScoresAndNanAreNotRight) {
  AccuracyCounter counter;
  counter.add_scores(Tensor::of<float>({4, 2}, {1, 1, 1, 1, kNan, 1, 2, kNan}), {0, 1, 1, 0}, 0);
  EXPECT_EQ(counter.top1, 1);
  EXPECT_EQ(counter.top5, 2);
}

TEST(AccuracyCounter, TooFewLabelsIsAnError) {
  AccuracyCounter counter;
  EXPECT_THROW(counter.add_scores(Tensor::of<float>({2, 2}, {1, 0, 0, 1}), {0}, 0), Error);
}

TEST(AgreementCounter, NanAgreesWithTheSameNanAlone) {
  AgreementCounter counter;
  counter.add(Tensor::of<float>({3, 2}, {1, 0, kNan, 2, 0, 1}),
              Tensor::of<float>({3, 2}, {kNan, 0, kNan, 3, 0, 9}));
  EXPECT_EQ(counter.rows, 3);
  EXPECT_EQ(counter.agreeing, 2);
}

}  // namespace
}  // namespace fettle::report
