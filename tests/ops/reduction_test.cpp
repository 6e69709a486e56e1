// Reductions, softmax and sorting.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor floats(ir::Dims dims, std::vector<float> values) {
  return Tensor::of<float>(std::move(dims), values);
}
Tensor ints(std::vector<int64_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::of<int64_t>({count}, values);
}
std::vector<int64_t> axes(std::vector<int64_t> list) {
  return list;
}

TEST(Reduction, AxesAsAttributeThenAsInput) {
  const auto x = floats({2, 1, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor old = run_operator(
      {"ReduceMean", 13, with(Attribute("axes", axes({-1, 0})), Attribute("keepdims", 0))}, {x})[0];
  EXPECT_EQ(old.dims(), (ir::Dims{1}));
  EXPECT_EQ(elements<float>(old)[0], 3.5f);
  const Tensor now = run_operator({"ReduceMean", 18}, {x, ints({2})})[0];
  EXPECT_EQ(now.dims(), (ir::Dims{2, 1, 1}));
  EXPECT_EQ(elements<float>(now), (std::vector<float>{2, 5}));
  EXPECT_THROW(run_operator({"ReduceMean", 18}, {x, ints({3})}), Error);
  EXPECT_THROW(run_operator({"ReduceMean", 18}, {x, ints({0, -3})}), Error);
}

TEST(Reduction, NoopStillAppliesTheElementwisePart) {
  const auto x = floats({2}, {-3, 4});
  const auto noop = [](const char* name) {
    return Operator{name, 18, with(Attribute("noop_with_empty_axes", 1))};
  };
  EXPECT_EQ(elements<float>(run_operator(noop("ReduceSumSquare"), {x})[0]),
            (std::vector<float>{9, 16}));
  EXPECT_EQ(elements<float>(run_operator(noop("ReduceL2"), {x, ints({})})[0]),
            (std::vector<float>{3, 4}));
  EXPECT_EQ(elements<float>(run_operator({"ReduceSum", 18}, {x, ints({})})[0])[0], 1);
}

TEST(Reduction, EmptySets) {
  const auto x = floats({2, 0}, {});
  const auto reduce = [&](const char* name) {
    return elements<float>(run_operator({name, 20}, {x, ints({1})})[0]);
  };
  EXPECT_EQ(reduce("ReduceSum"), (std::vector<float>{0, 0}));
  EXPECT_EQ(reduce("ReduceProd"), (std::vector<float>{1, 1}));
  EXPECT_EQ(reduce("ReduceMax"), (std::vector<float>{-kInf, -kInf}));
  EXPECT_EQ(reduce("ReduceMin"), (std::vector<float>{kInf, kInf}));
  EXPECT_EQ(reduce("ReduceLogSumExp"), (std::vector<float>{-kInf, -kInf}));
  EXPECT_TRUE(std::isnan(reduce("ReduceMean")[0]));
  EXPECT_EQ(run_operator({"ReduceSum", 20}, {x, ints({0})})[0].dims(), (ir::Dims{1, 0}));
}

TEST(Reduction, LogSumExpIsStable) {
  const auto x = floats({2, 2}, {1000, 1000, -kInf, -kInf});
  const auto y = elements<float>(run_operator({"ReduceLogSumExp", 18}, {x, ints({1})})[0]);
  EXPECT_FLOAT_EQ(y[0], 1000.6931f);
  EXPECT_EQ(y[1], -kInf);
}

TEST(Reduction, IntegersAndBools) {
  const auto x = Tensor::of<int32_t>({3}, {-2, -3, 0});
  EXPECT_EQ(elements<int32_t>(run_operator({"ReduceMean", 18}, {x})[0])[0], -1);
  EXPECT_EQ(elements<int32_t>(run_operator({"ReduceL1", 18}, {x})[0])[0], 5);
  const auto b = Tensor::of<bool>({2, 2}, {true, false, false, false});
  EXPECT_EQ(booleans(run_operator({"ReduceMax", 20}, {b, ints({1})})[0]),
            (std::vector<bool>{true, false}));
}

TEST(Reduction, SumAccumulatesInDouble) {
  std::vector<float> values(1 << 16, 0.1f);
  const Tensor x = floats({1 << 16}, values);
  EXPECT_EQ(elements<float>(run_operator({"ReduceSum", 13}, {x})[0])[0],
            static_cast<float>(65536.0 * static_cast<double>(0.1f)));
}

TEST(Reduction, ArgMaxTiesAndNan) {
  const auto x = floats({1, 4}, {2, 7, 7, 1});
  const auto arg = [&](std::vector<Attribute> attributes, const Tensor& input) {
    return elements<int64_t>(run_operator({"ArgMax", 13, std::move(attributes)}, {input})[0])[0];
  };
  EXPECT_EQ(arg(with(Attribute("axis", 1)), x), 1);
  EXPECT_EQ(arg(with(Attribute("axis", -1), Attribute("select_last_index", 1)), x), 2);
  EXPECT_EQ(arg(with(Attribute("axis", 1)), floats({1, 3}, {2, kNan, 9})), 1);
  EXPECT_THROW(arg(with(Attribute("axis", 1)), floats({2, 0}, {})), Error);
}

TEST(Reduction, CumSumExclusiveReverse) {
  const auto x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor axis = Tensor::scalar<int32_t>(-1);
  EXPECT_EQ(
      elements<float>(run_operator(
          {"CumSum", 14, with(Attribute("exclusive", 1), Attribute("reverse", 1))}, {x, axis})[0]),
      (std::vector<float>{5, 3, 0, 11, 6, 0}));
}

TEST(Reduction, RuleKnowsProductsOfShapes) {
  ops::ValueFacts shape = tensor_facts(ir::DataType::kInt64, {ir::Dim::of(2)});
  shape.ints = ops::Ints{ir::Dim::named("N"), ir::Dim::of(6)};
  const auto product = infer_operator({"ReduceProd", 18, with(Attribute("keepdims", 0))}, {shape});
  EXPECT_TRUE(product[0].type.shape->empty());
  ASSERT_TRUE(product[0].ints.has_value());
  EXPECT_EQ((*product[0].ints)[0].symbol, "N*6");
  const auto unknown_axes = infer_operator(
      {"ReduceSum", 13}, {tensor_facts(ir::DataType::kFloat, {ir::Dim::named("N"), ir::Dim::of(3)}),
                          tensor_facts(ir::DataType::kInt64, {ir::Dim::of(1)})});
  ASSERT_TRUE(unknown_axes[0].type.shape.has_value());
  EXPECT_EQ(unknown_axes[0].type.shape->size(), 2u);
  EXPECT_FALSE((*unknown_axes[0].type.shape)[1].known());
}

TEST(Softmax, Version12FlattensVersion13DoesNot) {
  const auto x = floats({1, 2, 2}, {0, 0, 0, 0});
  EXPECT_EQ(elements<float>(run_operator({"Softmax", 12, with(Attribute("axis", 1))}, {x})[0])[0],
            0.25f);
  EXPECT_EQ(elements<float>(run_operator({"Softmax", 13, with(Attribute("axis", 1))}, {x})[0])[0],
            0.5f);
  EXPECT_EQ(elements<float>(run_operator({"Softmax", 12}, {x})[0])[0], 0.25f);
}

TEST(Softmax, HardmaxMarksTheFirstMaximum) {
  EXPECT_EQ(elements<float>(run_operator({"Hardmax", 13}, {floats({4}, {1, 3, 3, 2})})[0]),
            (std::vector<float>{0, 1, 0, 0}));
}

TEST(Softmax, LogSoftmaxKeepsSmallProbabilities) {
  const auto y = elements<float>(run_operator({"LogSoftmax", 13}, {floats({2}, {0, 200})})[0]);
  EXPECT_EQ(y[0], -200);
  EXPECT_EQ(y[1], 0);
}

TEST(TopK, TiesByIndexAndNanOnTop) {
  const auto x = floats({5}, {3, 1, 3, kNan, 1});
  auto y = run_operator({"TopK", 11, {}, 2}, {x, ints({3})});
  EXPECT_EQ(elements<int64_t>(y[1]), (std::vector<int64_t>{3, 0, 2}));
  y = run_operator({"TopK", 11, with(Attribute("largest", 0)), 2}, {x, ints({3})});
  EXPECT_EQ(elements<int64_t>(y[1]), (std::vector<int64_t>{1, 4, 0}));
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{1, 1, 3}));
  EXPECT_THROW(run_operator({"TopK", 11, {}, 2}, {x, ints({6})}), Error);
  y = run_operator({"TopK", 1, with(Attribute("k", 1), Attribute("axis", 0)), 2},
                   {floats({2, 2}, {1, 5, 4, 2})});
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{4, 5}));
}

TEST(NonMaxSuppression, DropsOverlapsAndOrdersByScore) {
  const auto boxes = floats({1, 4, 4}, {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 1, 11, 0, 10, 0, 0, 1, 1});
  const auto scores = floats({1, 1, 4}, {0.9f, 0.75f, 0.95f, 0.9f});
  const std::vector<Tensor> inputs{boxes, scores, Tensor::scalar<int64_t>(3),
                                   Tensor::scalar<float>(0.5f)};
  const Tensor y = run_operator({"NonMaxSuppression", 11}, inputs)[0];
  EXPECT_EQ(y.dims(), (ir::Dims{2, 3}));
  EXPECT_EQ(elements<int64_t>(y), (std::vector<int64_t>{0, 0, 2, 0, 0, 0}));
  EXPECT_EQ(run_operator({"NonMaxSuppression", 11}, {boxes, scores})[0].dims(), (ir::Dims{0, 3}));
  EXPECT_THROW(run_operator({"NonMaxSuppression", 11}, {boxes, floats({1, 1, 3}, {1, 2, 3})}),
               Error);
}

}  // namespace
}  // namespace fettle::test
