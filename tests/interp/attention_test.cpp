// Attention operators in float32 against the reference kernels.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "ir/error.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string text;  // a graph
  std::string op;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.text;
}

ir::Model model_of(const std::string& graph, int64_t opset = 25) {
  return test::parse_text_model("<ir_version: 10, opset_import: [\"\" : " + std::to_string(opset) +
                                ", \"com.microsoft\" : 1]>\n" + graph);
}

class AttentionSteps : public testing::TestWithParam<Case> {};

TEST_P(AttentionSteps, MatchTheReference) {
  const ir::Model model = model_of(GetParam().text);
  test::expect_accelerated_matches(model, 17);
  EXPECT_EQ(test::kernel_of(model, test::random_feeds(model, 17), GetParam().op), "fettle");
}

// y = Attention(q, k, v[, mask]) of ai.onnx; `before` are nodes before it.
Case attention(const std::string& name, const std::string& inputs, const std::string& attributes,
               const std::string& operands = "q, k, v", const std::string& before = "",
               const std::string& outputs = "y") {
  const bool cached = outputs != "y";
  return {name,
          "g (" + inputs + ") => (float y" + (cached ? ", float pk, float pv" : "") + ") { " +
              before + " " + outputs + " = Attention " +
              (attributes.empty() ? "" : "<" + attributes + "> ") + "(" + operands + ") }",
          "Attention"};
}

const std::string kStacked = "float[2,3,7,16] q, float[2,3,9,16] k, float[2,3,9,8] v";
const std::string kGrouped = "float[2,6,7,16] q, float[2,2,9,16] k, float[2,2,9,8] v";
const std::string kPacked = "float[2,7,48] q, float[2,9,48] k, float[2,9,24] v";
const std::string kHeads = "q_num_heads = 3, kv_num_heads = 3";
const std::string kPast = ", float[2,3,5,16] a, float[2,3,5,8] b";
// A mask m that is false where a random number f is below -0.5.
const std::string kBool = "z = Constant <value = float {-0.5}> () m = Greater (f, z)";
// A mask m of 0 and -inf.
const std::string kInfinite =
    "z = Constant <value_float = -0.5> () c = Greater (f, z) o = Constant <value_float = 0.0> () "
    "l = Log (o) m = Where (c, o, l)";

std::vector<Case> standard() {
  return {
      attention("stacked", kStacked, ""),
      attention("scaled", kStacked, "scale = 0.5"),
      attention("packed", kPacked, kHeads),
      attention("grouped", kGrouped, ""),
      attention("grouped_packed", "float[2,7,96] q, float[2,9,32] k, float[2,9,16] v",
                "q_num_heads = 6, kv_num_heads = 2"),
      attention("one_query", "float[2,3,1,64] q, float[2,3,300,64] k, float[2,3,300,64] v", ""),
      attention("long", "float[1,2,300,32] q, float[1,2,700,32] k, float[1,2,700,32] v", ""),
      attention("many_keys", "float[1,1,5,8] q, float[1,1,5000,8] k, float[1,1,5000,8] v", ""),
      attention("tiny_heads", "float[1,2,5,1] q, float[1,2,4,1] k, float[1,2,4,1] v", ""),
      attention("causal", kStacked, "is_causal = 1"),
      attention("causal_long", "float[1,2,250,32] q, float[1,2,250,32] k, float[1,2,250,32] v",
                "is_causal = 1"),
      attention("windowed", kStacked, "left_window_size = 2, right_window_size = 1"),
      attention("softcap", kStacked, "softcap = 0.7"),
      attention("softcap_mask", kStacked + ", float[7,9] m", "softcap = 2.0", "q, k, v, m"),
      attention("mask", kStacked + ", float[7,9] m", "", "q, k, v, m"),
      attention("mask_of_heads", kStacked + ", float[2,3,7,9] m", "", "q, k, v, m"),
      attention("mask_of_batches", kStacked + ", float[2,1,1,9] m", "", "q, k, v, m"),
      attention("mask_packed_causal", kPacked + ", float[7,9] m", kHeads + ", is_causal = 1",
                "q, k, v, m"),
      attention("short_mask", kStacked + ", float[7,6] m", "", "q, k, v, m"),
      attention("bool_mask", kStacked + ", float[7,9] f", "", "q, k, v, m", kBool),
      attention("infinite_mask", kStacked + ", float[2,1,7,9] f", "", "q, k, v, m", kInfinite),
      attention("all_masked_rows", kStacked + ", float[2,1,7,1] f", "", "q, k, v, e",
                kBool + " s = Constant <value_ints = [2,1,7,9]> () e = Expand (m, s)"),
      attention("past", kStacked + kPast, "", "q, k, v, , a, b"),
      attention("past_causal", kStacked + kPast, "is_causal = 1", "q, k, v, , a, b"),
      attention("present", kStacked + kPast, "", "q, k, v, , a, b", "", "y, pk, pv"),
      attention("present_packed", kPacked + kPast, kHeads + ", is_causal = 1", "q, k, v, , a, b",
                "", "y, pk, pv"),
      attention("present_alone", kStacked, "", "q, k, v", "", "y, pk, pv"),
      attention("padded", kStacked, "", "q, k, v, , , , n",
                "n = Constant <value = int64[2] {9, 4}> ()"),
      attention("padded_causal", kStacked, "is_causal = 1", "q, k, v, , , , n",
                "n = Constant <value = int64[2] {8, 7}> ()"),
  };
}

Case contrib(const std::string& op, const std::string& name, const std::string& inputs,
             const std::string& attributes, const std::string& operands,
             const std::string& before = "", const std::string& outputs = "y") {
  std::string declared;
  for (const char c : outputs) {
    if (c == ' ' || c == ',') continue;
    declared += (declared.empty() ? "float " : ", float ") + std::string(1, c);
  }
  return {name,
          "g (" + inputs + ") => (" + declared + ") { " + before + " " + outputs +
              " = com.microsoft." + op + " <num_heads = 3" + attributes + "> (" + operands +
              ") }",
          op};
}

std::vector<Case> multi_head() {
  const auto mha = [](const std::string& name, const std::string& inputs,
                      const std::string& attributes, const std::string& operands,
                      const std::string& before = "", const std::string& outputs = "y") {
    return contrib("MultiHeadAttention", "mha_" + name, inputs, attributes, operands, before,
                   outputs);
  };
  const std::string square = "float[2,9,48] q, float[2,9,48] k, float[2,9,24] v";
  return {
      mha("plain", kPacked, "", "q, k, v"),
      mha("scaled", kPacked, ", scale = 0.3", "q, k, v"),
      mha("biased", kPacked + ", float[120] b", "", "q, k, v, b"),
      mha("stacked_keys", "float[2,7,48] q, float[2,3,9,16] k, float[2,3,9,8] v", "", "q, k, v"),
      mha("packed_qkv", "float[2,7,3,3,16] q", "", "q"),
      mha("packed_kv", "float[2,7,48] q, float[2,9,3,2,16] k", "", "q, k"),
      mha("unidirectional", square, ", unidirectional = 1", "q, k, v"),
      mha("attention_bias", kPacked + ", float[1,3,7,9] r", "", "q, k, v, , , r"),
      mha("key_ends", kPacked, "", "q, k, v, , n", "n = Constant <value = int32[2] {9, 4}> ()"),
      mha("padding", kPacked, "", "q, k, v, , n",
          "n = Constant <value = int32[2,9] {1,1,1,1,1,0,0,0,0,1,1,0,1,1,1,1,1,1}> ()"),
      mha("padding_of_all_keys", kPacked, "", "q, k, v, , n",
          "n = Constant <value = int32[2,9] {0,0,0,0,0,0,0,0,0,1,1,0,1,1,1,1,1,1}> ()"),
      mha("past", kPacked + kPast, "", "q, k, v, , , , a, b"),
      mha("present", kPacked + kPast, "", "q, k, v, , , , a, b", "", "y, c, d"),
      mha("biased_present", kPacked + kPast + ", float[120] e", "", "q, k, v, e, , , a, b", "",
          "y, c, d"),
  };
}

std::vector<Case> with_projections() {
  const auto packed = [](const std::string& name, const std::string& inputs,
                         const std::string& attributes, const std::string& operands,
                         const std::string& before = "", const std::string& outputs = "y") {
    return contrib("Attention", "projected_" + name, inputs, attributes, operands, before, outputs);
  };
  const std::string inputs = "float[2,7,20] x, float[20,144] w, float[144] b";
  return {
      packed("plain", inputs, "", "x, w, b"),
      packed("unbiased", "float[2,7,20] x, float[20,144] w", "", "x, w"),
      packed("unequal", "float[2,7,20] x, float[20,120] w, float[120] b",
             ", qkv_hidden_sizes = [48, 48, 24]", "x, w, b"),
      packed("unidirectional", inputs, ", unidirectional = 1", "x, w, b"),
      packed("masked", inputs, "", "x, w, b, n", "n = Constant <value = int32[2] {7, 3}> ()"),
      packed("past", inputs + ", float[2,2,3,5,16] p", ", unidirectional = 1", "x, w, b, , p"),
      packed("present", inputs + ", float[2,2,3,5,16] p", "", "x, w, b, , p", "", "y, c"),
      packed("wide", "float[2,70,200] x, float[200,576] w, float[576] b", ", scale = 0.001",
             "x, w, b"),
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Standard, AttentionSteps, testing::ValuesIn(standard()), case_name);
INSTANTIATE_TEST_SUITE_P(MultiHead, AttentionSteps, testing::ValuesIn(multi_head()), case_name);
INSTANTIATE_TEST_SUITE_P(Packed, AttentionSteps, testing::ValuesIn(with_projections()), case_name);

// Masks of older versions must be as wide as there are keys, and are repeated from one column.
TEST(Attention, RepeatsAMaskColumn) {
  const std::string graph =
      "g (" + kStacked + ", float[7,1] m) => (float y) { y = Attention (q, k, v, m) }";
  test::expect_accelerated_matches(model_of(graph, 23), 3);
}

TEST(Attention, LeavesScoresToTheReference) {
  const ir::Model model = model_of("g (" + kStacked +
                                   ") => (float y, float s) { y, , , s = Attention (q, k, v) }");
  test::expect_accelerated_matches(model, 3);
  EXPECT_EQ(test::kernel_of(model, test::random_feeds(model, 3), "Attention"), "reference");
}

TEST(Attention, LeavesDoublesToTheReference) {
  const ir::Model model = model_of(
      "g (" + kStacked + ") => (float y) { a = Cast <to = 11> (q) b = Cast <to = 11> (k) "
      "c = Cast <to = 11> (v) d = Attention (a, b, c) y = Cast <to = 1> (d) }");
  test::expect_accelerated_matches(model, 3);
  EXPECT_EQ(test::kernel_of(model, test::random_feeds(model, 3), "Attention"), "reference");
}

TEST(Attention, TakesFloat16) {
  const ir::Model model = model_of(
      "g (" + kStacked + ") => (float y) { a = Cast <to = 10> (q) b = Cast <to = 10> (k) "
      "c = Cast <to = 10> (v) d = Attention (a, b, c) y = Cast <to = 1> (d) }");
  test::expect_accelerated_matches(model, 3, 1e-3);
  EXPECT_EQ(test::kernel_of(model, test::random_feeds(model, 3), "Attention"), "fettle");
}

TEST(Attention, ReportsWhatTheReferenceReports) {
  const ir::Model model = model_of(
      "g (float[a,b,c,d] q, float[e,f,g,h] k, float[i,j,l,m] v) => (float y) "
      "{ y = Attention (q, k, v) }");
  interp::Feeds feeds;
  feeds["q"] = ops::RuntimeValue(test::random_floats({1, 2, 3, 4}, 1));
  feeds["k"] = ops::RuntimeValue(test::random_floats({1, 2, 3, 5}, 2));
  feeds["v"] = ops::RuntimeValue(test::random_floats({1, 2, 3, 4}, 3));
  std::vector<std::string> messages;
  for (const bool exact : {true, false}) {
    try {
      test::run_model(model, feeds, {.exact = exact});
    } catch (const Error& error) {
      messages.push_back(error.what());
    }
  }
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0], messages[1]);
}

TEST(Attention, WithoutKeysIsZero) {
  const ir::Model model = model_of(
      "g (float[1,2,3,4] q, float[1,2,n,4] k, float[1,2,n,4] v) => (float y) "
      "{ y = Attention (q, k, v) }");
  interp::Feeds feeds;
  feeds["q"] = ops::RuntimeValue(test::random_floats({1, 2, 3, 4}, 1));
  for (const char* name : {"k", "v"}) {
    feeds[name] = ops::RuntimeValue(ir::Tensor(ir::DataType::kFloat, {1, 2, 0, 4}));
  }
  const auto found = test::run_model(model, feeds);
  for (const float y : found[0].tensor.data<float>()) EXPECT_EQ(y, 0.0f);
}

}  // namespace
}  // namespace fettle
