// Operators of com.microsoft that optimizers fuse others into, against the reference kernels.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string op;
  std::string inputs;
  std::string operands;
  std::string attributes = "";
  std::string outputs = "y";
  std::string before = "";
  std::string after = "";
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.op << " <" << c.attributes << "> (" << c.operands << ") of " << c.inputs;
}

ir::Model model_of(const Case& c) {
  std::string declared = "float y";
  if (c.outputs != "y") declared += ", float s";
  return test::parse_text_model(
      "<ir_version: 10, opset_import: [\"\" : 21, \"com.microsoft\" : 1]>\n g (" + c.inputs +
      ") => (" + declared + ") { " + c.before + " " + c.outputs + " = com.microsoft." + c.op + " " +
      (c.attributes.empty() ? "" : "<" + c.attributes + "> ") + "(" + c.operands + ") " +
      c.after + " }");
}

std::string kernel_of(const Case& c, const ir::Model& model) {
  return test::kernel_of(model, test::random_feeds(model, 9), c.op);
}

class FusedOperators : public testing::TestWithParam<Case> {};

TEST_P(FusedOperators, MatchTheReference) {
  const ir::Model model = model_of(GetParam());
  test::expect_accelerated_matches(model, 9);
  EXPECT_NE(kernel_of(GetParam(), model), "reference");
}

class DeclinedOperators : public testing::TestWithParam<Case> {};

TEST_P(DeclinedOperators, AreLeftToTheReference) {
  const ir::Model model = model_of(GetParam());
  test::expect_accelerated_matches(model, 9);
  EXPECT_EQ(kernel_of(GetParam(), model), "reference");
}

std::vector<Case> normalizations() {
  const std::string three = "float[2,5,24] x, float[2,5,24] k, float[24] g, float[24] b";
  const std::string simple = "float[2,5,24] x, float[2,5,24] k, float[24] g";
  const std::string skip = "SkipLayerNormalization";
  const std::string simplified = "SkipSimplifiedLayerNormalization";
  return {
      {"skip", skip, three, "x, k, g, b"},
      {"skip_epsilon", skip, three, "x, k, g, b", "epsilon = 0.1"},
      {"skip_bias", skip, three + ", float[24] c", "x, k, g, b, c"},
      {"skip_without_beta", skip, simple + ", float[24] c", "x, k, g, , c"},
      {"skip_sum", skip, three, "x, k, g, b", "", "y, , , s"},
      {"skip_without_batch", skip, "float[2,5,24] x, float[5,24] k, float[24] g", "x, k, g"},
      {"skip_batch_of_one", skip, "float[2,5,24] x, float[1,5,24] k, float[24] g", "x, k, g"},
      {"skip_tokens", skip, "float[5,24] x, float[5,24] k, float[24] g", "x, k, g"},
      {"skip_large", skip, "float[2,150,333] x, float[2,150,333] k, float[333] g", "x, k, g"},
      {"simplified", simplified, simple, "x, k, g"},
      {"simplified_bias", simplified, simple + ", float[24] c", "x, k, g, c"},
      {"simplified_sum", simplified, simple, "x, k, g", "", "y, , , s"},
  };
}

std::vector<Case> embeddings() {
  const std::string op = "EmbedLayerNormalization";
  const std::string tables = "float[9,24] w, float[7,24] p, float[24] g, float[24] b";
  const std::string ids =
      "i = Constant <value = int32[2,5] {0,8,3,3,1,2,4,5,6,7}> () "
      "t = Constant <value = int32[2,5] {0,1,1,0,1,0,0,0,1,1}> () "
      "q = Constant <value = int32[1,5] {6,0,2,2,1}> ()";
  return {
      {"embed", op, tables, "i, , w, p, , g, b", "", "y", ids},
      {"embed_segments", op, tables + ", float[2,24] e", "i, t, w, p, e, g, b", "epsilon = 0.01",
       "y", ids},
      {"embed_positions", op, tables, "i, , w, p, , g, b, , q", "", "y", ids},
      {"embed_sum", op, tables, "i, , w, p, , g, b", "", "y, , s", ids},
      {"embed_no_mask", op, tables, "i, , w, p, , g, b", "", "y, n", ids, "s = Cast <to = 1> (n)"},
      {"embed_mask", op, tables, "i, , w, p, , g, b, t", "", "y, n", ids, "s = Cast <to = 1> (n)"},
  };
}

std::vector<Case> activations() {
  return {
      {"gelu", "Gelu", "float[3,4,50] x", "x"},
      {"bias_gelu", "BiasGelu", "float[3,4,50] x, float[50] b", "x, b"},
      {"fast_gelu", "FastGelu", "float[3,4,50] x", "x"},
      {"fast_gelu_bias", "FastGelu", "float[3,4,50] x, float[50] b", "x, b"},
      {"fast_gelu_large", "FastGelu", "float[300,333] x, float[333] b", "x, b"},
      {"quick_gelu", "QuickGelu", "float[3,4,50] x", "x"},
      {"quick_gelu_alpha", "QuickGelu", "float[3,4,5000] x", "x", "alpha = 0.7"},
  };
}

std::vector<Case> products() {
  const std::string op = "FusedMatMul";
  return {
      {"matmul", op, "float[7,20] a, float[20,9] b", "a, b"},
      {"matmul_scaled", op, "float[7,20] a, float[20,9] b", "a, b", "alpha = 0.25"},
      {"matmul_turned_a", op, "float[20,7] a, float[20,9] b", "a, b", "transA = 1"},
      {"matmul_turned_b", op, "float[2,7,20] a, float[2,9,20] b", "a, b",
       "transB = 1, alpha = 0.125"},
      {"matmul_turned_both", op, "float[3,20,7] a, float[9,20] b", "a, b",
       "transA = 1, transB = 1"},
      {"matmul_vector", op, "float[20] a, float[3,20,9] b", "a, b"},
  };
}

std::vector<Case> convolutions() {
  const std::string op = "FusedConv";
  const std::string plain = "float[1,3,11,13] x, float[8,3,3,3] w";
  const auto with = [&](const std::string& name, const std::string& activation) {
    return Case{"conv_" + name, op, plain, "x, w", "activation = " + activation};
  };
  return {
      {"conv", op, plain, "x, w"},
      with("relu", "\"Relu\""),
      with("tanh", "\"Tanh\""),
      with("sigmoid", "\"Sigmoid\""),
      with("leaky", "\"LeakyRelu\", activation_params = [0.2]"),
      with("clip", "\"Clip\", activation_params = [-0.5, 1.5]"),
      with("hard_sigmoid", "\"HardSigmoid\", activation_params = [0.2, 0.5]"),
      with("hard_swish", "\"HardSwish\""),
      {"conv_bias", op, plain + ", float[8] b", "x, w, b",
       "activation = \"Relu\", strides = [2,2]"},
      {"conv_sum", op, plain + ", float[8] b, float[1,8,11,13] z", "x, w, b, z",
       "activation = \"Relu\", pads = [1,1,1,1]"},
      {"conv_sum_without_bias", op, plain + ", float[1,8,9,11] z", "x, w, , z"},
  };
}

std::vector<Case> declined() {
  return {
      {"mean", "SkipLayerNormalization", "float[2,5,24] x, float[2,5,24] k, float[24] g",
       "x, k, g", "", "y, s"},
      {"batches_turned", "FusedMatMul", "float[5,3,4] a, float[3,4,6] b", "a, b",
       "transBatchA = 1"},
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Normalizations, FusedOperators, testing::ValuesIn(normalizations()),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Embeddings, FusedOperators, testing::ValuesIn(embeddings()), case_name);
INSTANTIATE_TEST_SUITE_P(Activations, FusedOperators, testing::ValuesIn(activations()), case_name);
INSTANTIATE_TEST_SUITE_P(Products, FusedOperators, testing::ValuesIn(products()), case_name);
INSTANTIATE_TEST_SUITE_P(Convolutions, FusedOperators, testing::ValuesIn(convolutions()),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Outputs, DeclinedOperators, testing::ValuesIn(declined()), case_name);

}  // namespace
}  // namespace fettle
