#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "ir/error.h"
#include "ir/inline_functions.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "support/text_model.h"

namespace fettle {
namespace {

ir::Model inlined(const std::string& text) {
  ir::Model model = test::parse_text_model(text);
  ir::inline_functions(model);
  ir::verify(model);
  EXPECT_TRUE(model.functions.empty());
  return model;
}

std::vector<std::string> operators(const ir::Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Node& node : graph.nodes()) names.push_back(node.op_type);
  return names;
}

using Names = std::vector<std::string>;

TEST(InlineFunctions, KeepsNamesOutsideAndPrefixesThoseInside) {
  const ir::Model model = inlined(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { m = d.F (x) y = d.F (m) }
<domain: "d", opset_import: ["" : 17]>
F (a) => (b) { t = Relu (a) b = Neg (t) })");
  EXPECT_EQ(operators(*model.graph), (Names{"Relu", "Neg", "Relu", "Neg"}));
  ASSERT_NE(model.graph->find("m"), nullptr);
  EXPECT_EQ(model.graph->find("m")->producer()->op_type, "Neg");
  EXPECT_EQ(model.graph->outputs()[0]->name(), "y");
  EXPECT_NE(model.graph->find("F/t"), nullptr);
  EXPECT_EQ(model.opset("d"), 0);
}

TEST(InlineFunctions, SubstitutesAttributesAndLeavesOutMissingOnes) {
  const ir::Model model = inlined(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { m = d.F <slope = 0.25> (x) y = d.F (m) }
<domain: "d", opset_import: ["" : 17]>
F <slope> (a) => (b) { b = LeakyRelu <alpha : float = @slope> (a) })");
  EXPECT_EQ(model.graph->first_node()->attr_float("alpha", 9), 0.25f);
  EXPECT_FALSE(model.graph->last_node()->has_attribute("alpha"));
}

TEST(InlineFunctions, UsesDefaultsOfTheFunction) {
  ir::Model model = test::parse_text_model(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { m = d.F <slope = 0.25> (x) y = d.F (m) }
<domain: "d", opset_import: ["" : 17]>
F (a) => (b) { b = LeakyRelu <alpha : float = @slope> (a) })");
  onnx::AttributeProto fallback;
  fallback.set_name("slope");
  fallback.set_type(onnx::AttributeProto::FLOAT);
  fallback.set_f(0.5f);
  google::protobuf::UnknownFieldSet field;
  *field.AddLengthDelimited(11) = fallback.SerializeAsString();
  std::string bytes;
  ASSERT_TRUE(field.SerializeToString(&bytes));
  model.functions[0].carry += bytes;
  ir::inline_functions(model);
  EXPECT_EQ(model.graph->first_node()->attr_float("alpha", 9), 0.25f);
  EXPECT_EQ(model.graph->last_node()->attr_float("alpha", 9), 0.5f);
}

TEST(InlineFunctions, ExpandsNestedCallsAndPassesAttributesOn) {
  const ir::Model model = inlined(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { y = d.Outer <s = 0.125> (x) }
<domain: "d", opset_import: ["" : 17]>
Inner <alpha> (a) => (b) { b = LeakyRelu <alpha : float = @alpha> (a) }
<domain: "d", opset_import: ["" : 17, "d" : 1]>
Outer <s> (a) => (b) { t = d.Inner <alpha : float = @s> (a) b = Neg (t) })");
  EXPECT_EQ(operators(*model.graph), (Names{"LeakyRelu", "Neg"}));
  EXPECT_EQ(model.graph->first_node()->attr_float("alpha", 9), 0.125f);
}

TEST(InlineFunctions, PassesInputsThroughByIdentityOnlyToGraphOutputs) {
  const ir::Model model = inlined(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y, float[N] z) { m, q = d.F (x) z = Relu (m) y, r = d.F (x) }
<domain: "d", opset_import: ["" : 17]>
F (a) => (a, b) { b = Neg (a) })");
  EXPECT_EQ(model.graph->outputs()[0]->name(), "y");
  EXPECT_EQ(model.graph->outputs()[0]->producer()->op_type, "Identity");
  EXPECT_EQ(model.graph->find("z")->producer()->input(0), model.graph->find("x"));
}

TEST(InlineFunctions, OmittedInputsStayOmitted) {
  const ir::Model model = inlined(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { y = d.F (x) }
<domain: "d", opset_import: ["" : 17]>
F (a, low) => (b) { b = Clip (a, low) })");
  EXPECT_EQ(model.graph->first_node()->input(1), nullptr);
}

TEST(InlineFunctions, ExpandsCallsInSubgraphs) {
  const ir::Model model = inlined(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x, bool c) => (float[N] y) {
  y = If (c) <
    then_branch = then_graph () => (float[N] p) { p = d.F (x) },
    else_branch = else_graph () => (float[N] q) { q = Neg (x) }
  >
}
<domain: "d", opset_import: ["" : 17]>
F (a) => (b) { t = Relu (a) b = Neg (t) })");
  const ir::Graph& branch = *model.graph->first_node()->attr_graph("then_branch");
  EXPECT_EQ(operators(branch), (Names{"Relu", "Neg"}));
  EXPECT_EQ(branch.outputs()[0]->name(), "p");
}

void expect_failure(ir::Model model, ErrorCode code, const std::string& part) {
  try {
    ir::inline_functions(model);
    FAIL() << "expected: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

// The reader refuses recursion and growth beyond measure too, so these models are made in memory.
TEST(InlineFunctions, RefusesRecursion) {
  ir::Model model = test::parse_text_model(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { y = d.F (x) }
<domain: "d", opset_import: ["" : 17, "d" : 1]>
F (a) => (b) { b = d.G (a) }
<domain: "d", opset_import: ["" : 17, "d" : 1]>
G (a) => (b) { b = d.H (a) })");
  model.functions[1].body->first_node()->op_type = "F";
  expect_failure(std::move(model), ErrorCode::kBadInput, "calls itself");
}

TEST(InlineFunctions, RefusesConflictingOpsetsOnlyWhereTheyMatter) {
  expect_failure(test::parse_text_model(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { y = d.F (x) }
<domain: "d", opset_import: ["" : 13]>
F (a) => (b) { b = Relu (a) })"), ErrorCode::kUnsupported, "version 13");
  inlined(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { y = d.F (x) }
<domain: "d", opset_import: ["" : 13, "e" : 2]>
F (a) => (b) { b = e.Custom (a) })");
}

TEST(InlineFunctions, StopsAtTheBudget) {
  std::string text = R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { y = d.F0 (x) }
)";
  for (int i = 0; i < 14; ++i) {
    const std::string next = i == 13 ? "Relu" : "d.F" + std::to_string(i + 1);
    text += "<domain: \"d\", opset_import: [\"\" : 17, \"d\" : 1]> F" + std::to_string(i) +
            " (a) => (b) { t = " + next + " (a) b = " + next + " (t) }\n";
  }
  ir::Model model = test::parse_text_model(text);
  for (int i = 0; i < 100; ++i) {
    model.graph->add_node("F0", {model.graph->find("x")}, {"z" + std::to_string(i)}, nullptr, "d");
  }
  expect_failure(std::move(model), ErrorCode::kLimit, "more than");
}

}  // namespace
}  // namespace fettle
