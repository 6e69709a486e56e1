#include "ir/graph.h"

#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/verify.h"
#include "model_bytes.h"
#include "support/text_model.h"

namespace fettle::ir {
namespace {

using fettle::test::expect_error;
using fettle::test::parse_text_graph;

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.op_type);
  return names;
}

Node& node_of(const Graph& graph, const std::string& op) {
  for (Node& node : graph.nodes()) {
    if (node.op_type == op) return node;
  }
  throw std::runtime_error("no node " + op);
}

Model chain() {
  return parse_text_graph("g (float[4] x) => (float[4] y) { a = Abs(x) b = Neg(a) y = Relu(b) }");
}

TEST(Graphs, ReplaceAllUsesMovesEveryOperand) {
  Model model = parse_text_graph(
      "g (float[4] x) => (float[4] y) { a = Abs(x) b = Neg(x) c = Add(a, a) y = Mul(c, a) }");
  Graph& graph = *model.graph;
  ASSERT_TRUE(graph.replace_all_uses(*graph.find("a"), *graph.find("b")));
  EXPECT_TRUE(graph.find("a")->uses().empty());
  EXPECT_EQ(graph.find("b")->uses().size(), 3u);
  graph.erase(node_of(graph, "Abs"));
  verify(model);
  EXPECT_EQ(operators(graph), (std::vector<std::string>{"Neg", "Add", "Mul"}));
}

TEST(Graphs, ReplacingAnOutputKeepsItsName) {
  Model model = chain();
  Graph& graph = *model.graph;
  ASSERT_TRUE(graph.replace_all_uses(*graph.find("y"), *graph.find("b")));
  graph.erase(node_of(graph, "Relu"));
  verify(model);
  EXPECT_EQ(graph.outputs()[0]->name(), "y");
  EXPECT_EQ(graph.outputs()[0]->producer()->op_type, "Neg");
  EXPECT_EQ(graph.outputs()[0]->type, Type::tensor(DataType::kFloat, shape_of({4})));
}

TEST(Graphs, AnInputCannotTakeOverAnOutput) {
  Model model = parse_text_graph("g (float[4] x) => (float[4] y) { y = Identity(x) }");
  Graph& graph = *model.graph;
  EXPECT_FALSE(graph.replace_all_uses(*graph.find("y"), *graph.find("x")));
  EXPECT_EQ(graph.outputs()[0]->name(), "y");
  verify(model);
}

TEST(Graphs, WalksSurviveErasingAndInserting) {
  Model model = chain();
  Graph& graph = *model.graph;
  std::vector<std::string> visited;
  for (Node& node : graph.nodes()) {
    visited.push_back(node.op_type);
    if (node.op_type == "Neg") {
      Value* input = node.input(0);
      Node& added = graph.insert_after(node, "Sqrt", {input}, {"s"});
      ASSERT_TRUE(graph.replace_all_uses(*node.output(0), *added.output(0)));
      graph.erase(node);
    }
  }
  EXPECT_EQ(visited, (std::vector<std::string>{"Abs", "Neg", "Sqrt", "Relu"}));
  EXPECT_EQ(operators(graph), (std::vector<std::string>{"Abs", "Sqrt", "Relu"}));
  graph.purge();
  verify(model);
}

TEST(Graphs, ErasingANodeEndsTheUsesInItsSubgraphs) {
  Model model = parse_text_graph(
      "g (bool c, float[4] x) => (float[4] y) { a = Abs(x) z = If(c) <then_branch = t () => "
      "(float[4] p) { p = Neg(a) }, else_branch = e () => (float[4] q) { q = Relu(a) }> "
      "y = Sqrt(x) }");
  Graph& graph = *model.graph;
  EXPECT_EQ(graph.find("a")->uses().size(), 2u);
  graph.erase(node_of(graph, "If"));
  EXPECT_TRUE(graph.find("a")->uses().empty());
  graph.erase(node_of(graph, "Abs"));
  graph.purge();
  verify(model);
}

TEST(Graphs, SortsStablyAndReportsCycles) {
  Model model = chain();
  Graph& graph = *model.graph;
  graph.move_before(node_of(graph, "Relu"), graph.first_node());
  EXPECT_EQ(operators(graph), (std::vector<std::string>{"Relu", "Abs", "Neg"}));
  ASSERT_TRUE(graph.sort_topologically());
  EXPECT_EQ(operators(graph), (std::vector<std::string>{"Abs", "Neg", "Relu"}));
  node_of(graph, "Abs").set_input(0, graph.find("b"));
  EXPECT_FALSE(graph.sort_topologically());
  EXPECT_EQ(operators(graph), (std::vector<std::string>{"Abs", "Neg", "Relu"}));
}

TEST(Graphs, UniqueNamesAvoidSubgraphsToo) {
  Model model = parse_text_graph(
      "g (bool c, float[4] x) => (float[4] y) { y = If(c) <then_branch = t () => (float[4] p) "
      "{ p = Neg(x) }, else_branch = e () => (float[4] p_1) { p_1 = Relu(x) }> }");
  EXPECT_EQ(model.graph->unique_name("p"), "p_2");
  EXPECT_EQ(model.graph->unique_name("p"), "p_3");
  EXPECT_EQ(model.graph->unique_name("fresh"), "fresh");
  EXPECT_FALSE(model.graph->unique_name("").empty());
}

TEST(Graphs, NamesAreTakenOnce) {
  Model model = chain();
  Graph& graph = *model.graph;
  expect_error("more than once", [&] { graph.add_constant("a", Tensor::scalar<float>(1)); });
  graph.rename(*graph.find("a"), "renamed");
  EXPECT_EQ(graph.find("a"), nullptr);
  EXPECT_NO_THROW(graph.add_constant("a", Tensor::scalar<float>(1)));
  verify(model);
}

TEST(Graphs, ConstantsLoseTheirTypedStorageWhenTheyChange) {
  Model model = chain();
  Value& c = model.graph->add_constant(
      "c", StoredTensor{Tensor::scalar<float>(1), TensorEncoding::kTyped, {}});
  EXPECT_TRUE(c.is_constant());
  c.set_constant(Tensor::of<int8_t>({2}, {1, 2}));
  EXPECT_EQ(c.type, Type::tensor(DataType::kInt8, shape_of({2})));
  EXPECT_EQ(static_cast<int>(c.stored()->encoding), static_cast<int>(TensorEncoding::kRaw));
  model.graph->erase_value(c);
  EXPECT_TRUE(model.graph->constants().empty());
}

TEST(Nodes, AttributesHaveDefaultsAndTypes) {
  Model model = parse_text_graph(
      "g (float[1, 1, 4, 4] x, float[1, 1, 3, 3] w) => (y) "
      "{ y = Conv <pads = [1, 1, 1, 1], group = 1, auto_pad = \"NOTSET\"> (x, w) }");
  const Node& conv = *model.graph->first_node();
  EXPECT_EQ(conv.attr_ints("pads"), (std::vector<int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(conv.attr_int("group", 7), 1);
  EXPECT_EQ(conv.attr_int("absent", 7), 7);
  EXPECT_EQ(conv.attr_string("auto_pad", ""), "NOTSET");
  EXPECT_TRUE(conv.attr_floats("absent").empty());
  expect_error("unexpected type", [&] { conv.attr_float("group", 0); });
}

}  // namespace
}  // namespace fettle::ir
