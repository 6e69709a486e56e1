// The growth budget of constant folding, on weights too large for text.
#include <gtest/gtest.h>

#include "passes/pass.h"
#include "support/text_model.h"

namespace fettle {
namespace {

// Floats 0, 1, 2, ...
ir::Tensor numbers(int64_t count) {
  ir::Tensor t(ir::DataType::kFloat, {count});
  float x = 0;
  for (float& v : t.mutable_data<float>()) v = x++;
  return t;
}

passes::PipelineReport fold(ir::Model& model, int64_t budget) {
  passes::PipelineOptions options;
  options.only = {"infer_shapes", "fold_constants", "eliminate_dead_code"};
  options.fold_growth_budget = budget;
  return passes::run_pipeline(model, options);
}

// Both halves of a weight, each used on its own.
ir::Model halves() {
  ir::Model model = test::parse_text_graph(R"(
g (float[500000] x) => (float[500000] y)
<float[1] weight = {0.0}, int64[1] zero = {0}, int64[1] half = {500000}, int64[1] all = {1000000}> {
  a = Slice (weight, zero, half)
  b = Slice (weight, half, all)
  c = Add (x, a)
  y = Mul (c, b)
})");
  model.graph->find("weight")->set_constant(numbers(1'000'000));
  return model;
}

TEST(FoldBudget, PiecesOfAWeightDoNotGrowTheModel) {
  ir::Model model = halves();
  const auto report = fold(model, 0);
  EXPECT_EQ(model.graph->node_count(), 2u);
  EXPECT_TRUE(report.declined.empty());
  EXPECT_EQ(model.graph->find("weight"), nullptr);
  EXPECT_EQ(model.graph->find("b")->constant()->data<float>()[0], 500000.0f);
}

TEST(FoldBudget, PiecesOfAWeightThatStaysAreWeighedOneByOne) {
  ir::Model model = halves();
  ir::Value* weight = model.graph->find("weight");
  model.graph->add_output(*model.graph->add_node("Neg", {weight}, {"z"}).output(0));
  ir::Model same = ir::clone(model);
  // Neg gives a graph output and stays, so that both pieces come on top, less what indices take.
  auto report = fold(model, 2'500'000);
  EXPECT_EQ(model.graph->node_count(), 4u);  // one Slice fits the budget
  ASSERT_EQ(report.declined.size(), 1u);
  EXPECT_NE(report.declined[0].reason.find("grow by 1999984 bytes"), std::string::npos)
      << report.declined[0].node << ": " << report.declined[0].reason;
  fold(same, 4'000'000);
  EXPECT_EQ(same.graph->node_count(), 3u);
}

TEST(FoldBudget, LargeResultsLeaveTheHeap) {
  ir::Model model = halves();
  fold(model, 0);
  const ir::Tensor& b = *model.graph->find("b")->constant();
  ASSERT_GE(b.byte_size(), size_t{1} << 20);
  EXPECT_FALSE(b.buffer()->writable());
}

}  // namespace
}  // namespace fettle
