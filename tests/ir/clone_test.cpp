#include "ir/clone.h"

#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "support/text_model.h"

namespace fettle {
namespace {

constexpr const char* kWithSubgraph = R"(
g (float[N] x, bool c) => (float[N] y) <float[2] w = {1.0, 2.0}> {
  t = Add (x, w)
  y = If (c) <
    then_branch = then_graph () => (float[N] a) { a = Mul (t, w) },
    else_branch = else_graph () => (float[N] b) <float[1] k = {3.0}> { b = Sub (t, k) }
  >
})";

TEST(Clone, EqualsItsSourceAndSharesConstants) {
  const ir::Model model = test::parse_text_graph(kWithSubgraph);
  const ir::Model copy = ir::clone(model);
  ir::verify(copy);
  EXPECT_EQ(ir::to_text(copy), ir::to_text(model));
  EXPECT_EQ(copy.graph->find("w")->constant()->bytes(), model.graph->find("w")->constant()->bytes());
}

TEST(Clone, ReadsItsOwnOuterValues) {
  const ir::Model model = test::parse_text_graph(kWithSubgraph);
  ir::Model copy = ir::clone(model);
  const ir::Value* t = copy.graph->find("t");
  ASSERT_EQ(t->uses().size(), 2u);
  for (const ir::Use& use : t->uses()) {
    EXPECT_EQ(&use.node->graph().root(), copy.graph.get());
  }
}

TEST(Clone, IsIndependentOfItsSource) {
  const ir::Model model = test::parse_text_graph(kWithSubgraph);
  const std::string before = ir::to_text(model);
  ir::Model copy = ir::clone(model);
  copy.graph->rename(*copy.graph->find("t"), "renamed");
  copy.graph->find("w")->set_constant(ir::Tensor::of<float>({2}, {5, 6}));
  EXPECT_EQ(ir::to_text(model), before);
}

TEST(Clone, SubgraphResolvesOuterNamesInItsNewParent) {
  const ir::Model model = test::parse_text_graph(kWithSubgraph);
  ir::Model other = test::parse_text_graph(
      "h (float[N] t) => (float[N] z) <float[2] w = {7.0, 8.0}> { z = Add (t, w) }");
  const ir::Graph& branch = *model.graph->find("y")->producer()->attr_graph("then_branch");
  const auto copy = ir::clone(branch, other.graph.get());
  EXPECT_EQ(copy->first_node()->input(0), other.graph->find("t"));
  EXPECT_EQ(copy->first_node()->input(1), other.graph->find("w"));
}

TEST(Clone, FailsWhereAnOuterValueIsMissing) {
  const ir::Model model = test::parse_text_graph(kWithSubgraph);
  ir::Model other = test::parse_text_graph("h (float[N] q) => (float[N] z) { z = Relu (q) }");
  const ir::Graph& branch = *model.graph->find("y")->producer()->attr_graph("then_branch");
  EXPECT_THROW(ir::clone(branch, other.graph.get()), Error);
}

TEST(Clone, HandlesLongChains) {
  ir::Model model;
  model.opset_imports = {{"", 17}};
  model.graph = std::make_unique<ir::Graph>();
  ir::Value* v = &model.graph->add_input("x", ir::Type::tensor(ir::DataType::kFloat));
  for (int i = 0; i < 100'000; ++i) {
    v = model.graph->add_node("Relu", {v}, {"v" + std::to_string(i)}).output(0);
  }
  model.graph->add_output(*v);
  const ir::Model copy = ir::clone(model);
  ir::verify(copy);
  EXPECT_EQ(copy.graph->node_count(), 100'000u);
}

}  // namespace
}  // namespace fettle
