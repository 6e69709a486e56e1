#include "ir/print.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/io.h"
#include "support/text_model.h"

namespace fettle {
namespace {

// Text that parses back to a model of the same text.
void expect_round_trip(const std::string& text) {
  const std::string first = ir::to_text(test::parse_text_model(text));
  EXPECT_EQ(ir::to_text(test::parse_text_model(first)), first) << first;
}

constexpr const char* kHeader = "<ir_version: 8, opset_import: [\"\" : 17, \"custom\" : 1]>\n";

TEST(Print, RoundTripsInputsConstantsAndOperands) {
  expect_round_trip(std::string(kHeader) + R"(
g (float[N, 3] x, int64[2] s = {4, -5}, float k) => (float[N, M] y, float[] z)
<float[2] w = {1.5, -2.0}, int64[3] i = {1, 2, 3}, bool[2] b = {1, 0}, float[0] e = {}> {
  a, c = custom.Two <alpha = 0.5, name = "say hi", axes = [1, -2], scales = [1.0, 2.5]> (x, , w)
  y = Relu (a)
  z = Identity (c)
})");
}

TEST(Print, RoundTripsSubgraphsAndTensorAttributes) {
  expect_round_trip(std::string(kHeader) + R"(
g (float[N] x, bool c) => (float[N] y) {
  t = Constant <value = float[2] {1.0, 2.0}> ()
  y = If (c) <
    then_branch = then_graph () => (float[N] a) { a = Mul (x, t) },
    else_branch = else_graph () => (float[N] b) <float[1] k = {3.0}> { b = Sub (x, k) }
  >
})");
}

TEST(Print, KeepsEveryBitOfFloats) {
  ir::Model model = test::parse_text_graph("g (float[2] x) => (float[2] y) { y = Relu (x) }");
  const std::vector<float> values{0.1f, 1.17549435e-38f, 3.4028235e38f, -0.0f, 16777216.0f};
  model.graph->add_constant("k", ir::Tensor::of<float>({5}, values));
  const ir::Model again = test::parse_text_model(ir::to_text(model));
  const auto read = again.graph->find("k")->constant()->data<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(read[i], values[i]) << ir::to_text(model);
    EXPECT_EQ(std::signbit(read[i]), std::signbit(values[i]));
  }
}

TEST(Print, AbbreviatesLargeTensorsAndQuotesOddNames) {
  ir::Model model = test::parse_text_graph("g (float[2] x) => (float[2] y) { y = Relu (x) }");
  model.graph->add_constant("layer/weight:0", ir::Tensor::of<float>({3}, {1, 2, 3}));
  EXPECT_NE(ir::to_text(model, 2).find("float[3] \"layer/weight:0\" = {...}"), std::string::npos);
  EXPECT_NE(ir::to_text(model, 3).find("{1.0, 2.0, 3.0}"), std::string::npos);
}

TEST(Print, ShowsFunctions) {
  const ir::Model model = test::parse_text_model(R"(
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[N] x) => (float[N] y) { y = d.F <alpha = 0.5> (x) }
<domain: "d", opset_import: ["" : 17]>
F <alpha> (a) => (b) { b = LeakyRelu <alpha : float = @alpha> (a) })");
  const std::string text = ir::to_text(model);
  EXPECT_NE(text.find("F <alpha> (a) => (b)"), std::string::npos) << text;
  EXPECT_NE(text.find("alpha : float = @alpha"), std::string::npos) << text;
}

}  // namespace
}  // namespace fettle
