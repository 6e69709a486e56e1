#include "ir/verify.h"

#include <gtest/gtest.h>

#include "ir/error.h"
#include "support/text_model.h"

namespace fettle {
namespace {

// The message with which verification fails; empty when it does not.
std::string violation(const ir::Model& model) {
  try {
    ir::verify(model);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    return error.what();
  }
  return "";
}

ir::Model chain() {
  return test::parse_text_graph(
      "g (float[N] x) => (float[N] y) { a = Relu (x) b = Neg (a) y = Add (a, b) }");
}

TEST(Verify, AcceptsWhatTheReaderMakes) { EXPECT_EQ(violation(chain()), ""); }

TEST(Verify, RejectsUseBeforeDefinition) {
  ir::Model model = chain();
  model.graph->move_before(*model.graph->find("a")->producer(), nullptr);
  EXPECT_NE(violation(model).find("before it is defined"), std::string::npos);
}

TEST(Verify, RejectsValuesThatNothingDefines) {
  ir::Model model = chain();
  ir::Value& ghost = model.graph->add_value("ghost");
  model.graph->find("b")->producer()->set_input(0, &ghost);
  EXPECT_NE(violation(model).find("'ghost' before it is defined"), std::string::npos);
}

TEST(Verify, RejectsValuesOfASiblingScope) {
  ir::Model model = test::parse_text_graph(R"(
g (float[N] x, bool c) => (float[N] y) {
  y = If (c) <
    then_branch = t () => (float[N] a) { i = Relu (x) a = Neg (i) },
    else_branch = e () => (float[N] b) { b = Neg (x) }
  >
})");
  const auto branches = model.graph->first_node()->subgraphs();
  branches[1]->first_node()->set_input(0, branches[0]->find("i"));
  EXPECT_NE(violation(model).find("out of its scope"), std::string::npos);
}

TEST(Verify, RejectsNamesThatHideTheValueMeant) {
  ir::Model model = test::parse_text_graph(R"(
g (float[N] x, bool c) => (float[N] y) {
  t = Relu (x)
  y = If (c) <
    then_branch = then_graph () => (float[N] a) { i = Abs (t) a = Neg (i) },
    else_branch = else_graph () => (float[N] b) { b = Neg (t) }
  >
})");
  ir::Graph& branch = *model.graph->last_node()->subgraphs()[0];
  branch.rename(*branch.find("i"), "t");
  EXPECT_NE(violation(model).find("hidden"), std::string::npos);
}

TEST(Verify, ChecksFunctionBodies) {
  ir::Model model = chain();
  model.functions.push_back({"d", "F", "", {}, {{"", 17}}, nullptr, ""});
  model.functions[0].body = std::make_unique<ir::Graph>();
  ir::Graph& body = *model.functions[0].body;
  ir::Value& ghost = body.add_value("ghost");
  body.add_output(*body.add_node("Relu", {&ghost}, {"out"}).output(0));
  EXPECT_NE(violation(model).find("function 'F'"), std::string::npos);
}

}  // namespace
}  // namespace fettle
