#include <gtest/gtest.h>

#include <cmath>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;

Tensor floats(ir::Dims dims, std::vector<float> values) {
  return Tensor::of<float>(std::move(dims), values);
}

TEST(BatchNormalization, InferenceAndTraining) {
  const auto x = floats({2, 1, 2}, {1, 2, 3, 6});
  const std::vector<Tensor> inputs{x, floats({1}, {2}), floats({1}, {1}), floats({1}, {3}),
                                   floats({1}, {4})};
  const auto y = run_operator({"BatchNormalization", 9, with(Attribute("epsilon", 0.0f))}, inputs);
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{-1, 0, 1, 4}));
  const auto trained =
      run_operator({"BatchNormalization", 15,
                    with(Attribute("training_mode", 1), Attribute("momentum", 0.5f)), 3},
                   inputs);
  EXPECT_EQ(elements<float>(trained[1])[0], 3.0f);   // mean of the batch: 3
  EXPECT_EQ(elements<float>(trained[2])[0], 3.75f);  // population variance: 3.5
  EXPECT_THROW(run_operator({"BatchNormalization", 15, {}, 3}, inputs), Error);
  EXPECT_THROW(run_operator({"BatchNormalization", 9, {}, 5}, inputs), Error);
}

TEST(BatchNormalization, NonSpatialHasParametersPerActivation) {
  const auto per = [](float v) { return floats({1, 2}, {v, 2 * v}); };
  const auto y = run_operator(
      {"BatchNormalization", 7, with(Attribute("spatial", 0), Attribute("epsilon", 0.0f))},
      {floats({1, 1, 2}, {3, 6}), per(1), per(0), per(1), per(4)});
  EXPECT_FLOAT_EQ(elements<float>(y[0])[0], 1.0f);
  EXPECT_FLOAT_EQ(elements<float>(y[0])[1], 8 / std::sqrt(8.0f));
}

TEST(GroupNormalization, ScalePerGroupThenPerChannel) {
  const auto x = floats({1, 4, 1}, {0, 2, 10, 14});
  const auto attributes = [] {
    return with(Attribute("num_groups", 2), Attribute("epsilon", 0.0f));
  };
  const auto old = run_operator({"GroupNormalization", 18, attributes()},
                                {x, floats({2}, {1, 10}), floats({2}, {0, 100})});
  EXPECT_EQ(elements<float>(old[0]), (std::vector<float>{-1, 1, 90, 110}));
  const auto now = run_operator({"GroupNormalization", 21, attributes()},
                                {x, floats({4}, {1, 2, 3, 4}), floats({4}, {0, 0, 0, 1})});
  EXPECT_EQ(elements<float>(now[0]), (std::vector<float>{-1, 2, -3, 5}));
  EXPECT_THROW(run_operator({"GroupNormalization", 21, with(Attribute("num_groups", 3))},
                            {x, floats({4}, {1, 2, 3, 4}), floats({4}, {0, 0, 0, 1})}),
               Error);
}

TEST(LayerNormalization, StatisticsAndBroadcastScale) {
  const auto x = half_tensor({2, 2}, {1, 3, 10, 30});
  const auto y = run_operator({"LayerNormalization", 17, with(Attribute("epsilon", 0.0f)), 3},
                              {x, half_tensor({2, 1}, {1, 100}), half_tensor({}, {5})});
  EXPECT_EQ(y[0].type(), ir::DataType::kFloat16);
  EXPECT_EQ(numbers(y[0]), (std::vector<double>{4, 6, -95, 105}));
  EXPECT_EQ(y[1].type(), ir::DataType::kFloat);
  EXPECT_EQ(y[1].dims(), (ir::Dims{2, 1}));
  EXPECT_EQ(numbers(y[1]), (std::vector<double>{2, 20}));
  EXPECT_EQ(elements<float>(y[2])[1], 0.1f);
  EXPECT_THROW(run_operator({"LayerNormalization", 17}, {x, half_tensor({3}, {1, 2, 3})}), Error);
}

TEST(RmsNormalization, HasTheTypeOfTheScale) {
  const auto y = run_operator({"RMSNormalization", 23, with(Attribute("epsilon", 0.0f))},
                              {half_tensor({1, 2}, {3, 4}), floats({2}, {1, 2})});
  EXPECT_EQ(y[0].type(), ir::DataType::kFloat);
  EXPECT_FLOAT_EQ(elements<float>(y[0])[1], static_cast<float>(8 / std::sqrt(12.5)));
}

// An even size reaches one channel further up than down.
TEST(Lrn, WindowOfEvenSizeLeansUp) {
  const auto y = run_operator({"LRN", 13,
                               with(Attribute("size", 2), Attribute("alpha", 2.0f),
                                    Attribute("beta", 1.0f), Attribute("bias", 1.0f))},
                              {floats({1, 3, 1}, {1, 2, 3})});
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{1.0f / 6, 2.0f / 14, 3.0f / 10}));
}

TEST(LpNormalization, ZeroNormGivesZero) {
  const auto y = run_operator({"LpNormalization", 22, with(Attribute("p", 1))},
                              {floats({2, 2}, {0, 0, -1, 3})});
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{0, 0, -0.25f, 0.75f}));
}

TEST(Normalization, RuleChecksTheParametersExtent) {
  const auto x =
      tensor_facts(ir::DataType::kFloat, {ir::Dim::named("N"), ir::Dim::of(3), ir::Dim::unknown()});
  const auto good = tensor_facts(ir::DataType::kFloat, {ir::Dim::of(3)});
  const auto bad = tensor_facts(ir::DataType::kFloat, {ir::Dim::of(4)});
  EXPECT_EQ(infer_operator({"InstanceNormalization", 6}, {x, good, good})[0].type, x.type);
  EXPECT_THROW(infer_operator({"InstanceNormalization", 6}, {x, good, bad}), Error);
}

}  // namespace
}  // namespace fettle::test
