#include "quant/names.h"

#include <gtest/gtest.h>

#include "quant/plan_entries.h"
#include "support/text_model.h"

namespace fettle::quant {
namespace {

TEST(Wildcard, MatchesLikeFileNames) {
  EXPECT_TRUE(matches_wildcard("conv*", "conv1"));
  EXPECT_TRUE(matches_wildcard("*", ""));
  EXPECT_TRUE(matches_wildcard("a?c", "abc"));
  EXPECT_TRUE(matches_wildcard("*/head/*", "model/head/conv"));
  EXPECT_TRUE(matches_wildcard("a*b*c", "axxbyybzc"));
  EXPECT_FALSE(matches_wildcard("a?c", "ac"));
  EXPECT_FALSE(matches_wildcard("conv", "conv1"));
  EXPECT_FALSE(matches_wildcard("a*b", "acd"));
  EXPECT_FALSE(matches_wildcard("", "a"));
}

TEST(NodeKeys, UseNamesWhereTheyAreUniqueAndOutputsElsewhere) {
  ir::Model model = test::parse_text_graph(
      "g (float[2] x) => (float[2] y) { a = Relu(x) \n b = Relu(a) \n y = Relu(b) }");
  ir::Node* first = model.graph->first_node();
  first->name = "same";
  ir::Node* last = model.graph->last_node();
  last->name = "same";
  for (ir::Node& node : model.graph->nodes()) {
    if (&node != first && &node != last) node.name = "own";
  }
  const NodeKeys keys(*model.graph);
  EXPECT_EQ(keys.of(*first), "a");
  EXPECT_EQ(keys.of(*last), "y");
  EXPECT_NE(keys.find("own"), nullptr);
  EXPECT_EQ(keys.find("same"), nullptr);
}

TEST(NodeKeys, ManyNodesWithoutOutputsTakeLinearTime) {
  ir::Model model = test::parse_text_graph("g (float[2] x) => (float[2] y) { y = Relu(x) }");
  ir::Graph& graph = *model.graph;
  for (int i = 0; i < 50'000; ++i) graph.add_node("Sink", {graph.inputs()[0]}, {});
  const NodeKeys keys(graph);
  EXPECT_NE(keys.of(*graph.last_node()), keys.of(*graph.first_node()));
}

TEST(PlanEntries, NamesThatLookAlikeStayApart) {
  const QuantParams common{ir::DataType::kInt8, -1, {0.5f}, {0}};
  const QuantParams own{ir::DataType::kInt8, -1, {0.25f}, {0}};
  ParamEntries entries;
  store_params(entries, "w", "first", common);
  store_params(entries, "w", "second", own);
  store_params(entries, "w@second", "third", common);
  EXPECT_EQ(find_params(entries, "w", "second")->second, own);
  EXPECT_EQ(find_params(entries, "w", "other")->second, common);
  EXPECT_EQ(find_params(entries, "w@second", "third")->second, common);
}

}  // namespace
}  // namespace fettle::quant
