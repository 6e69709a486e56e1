#include "report/evaluation.h"

#include <gtest/gtest.h>

#include "report/model_stats.h"
#include "support/text_model.h"

namespace fettle::report {
namespace {

using ir::Tensor;

TEST(OutputStore, GivesBackWhatWasAppended) {
  OutputStore store;
  store.append({Tensor::of<float>({2}, {1, 2}), Tensor::of<int64_t>({}, {7})});
  store.append({Tensor::of<float>({3}, {3, 4, 5}), ops::RuntimeValue()});
  ASSERT_EQ(store.runs(), 2u);
  const auto second = store.read(1);
  EXPECT_TRUE(ir::identical(second[0], Tensor::of<float>({3}, {3, 4, 5})));
  EXPECT_FALSE(second[1].defined());
  EXPECT_TRUE(ir::identical(store.read(0)[1], Tensor::of<int64_t>({}, {7})));
}

TEST(ModelStats, CountsWeightsOfInitializersAndConstantNodes) {
  const ir::Model model = test::parse_text_graph(R"(
    g (float[N, 2] x) => (float[N, 2] y)
    <float[2, 2] w = {1, 2, 3, 4}>
    {
      c = Constant<value = float[2] {1, 2}>()
      m = MatMul(x, w)
      y = Add(m, c)
    })");
  const ModelStats stats = model_stats(model);
  EXPECT_EQ(stats.nodes, 3);
  EXPECT_EQ(stats.parameters, 6);
  EXPECT_EQ(stats.weight_bytes, 24);
  EXPECT_EQ(stats.macs, 4);
  EXPECT_TRUE(stats.macs_complete);
  EXPECT_EQ(stats.operators.at("MatMul"), 1);
  EXPECT_EQ(stats.dynamic_axes, (std::vector<std::string>{"x[0] = N"}));
}

}  // namespace
}  // namespace fettle::report
