// Products with weights of few bits against the reference kernel.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string inputs;
  std::string attributes;
  std::string operands;
};

ir::Model model_of(const Case& c) {
  return test::parse_text_model(
      "<ir_version: 10, opset_import: [\"\" : 21, \"com.microsoft\" : 1]>\n g (" + c.inputs +
      ") => (float y) { y = com.microsoft.MatMulNBits <" + c.attributes + "> (" + c.operands +
      ") }");
}

// What computes it when all operands but the first are constant.
std::string packed_kernel(const ir::Model& model) {
  const interp::Feeds feeds = test::random_feeds(model, 7);
  const std::string& first = model.graph->inputs().front()->name();
  return test::kernel_of(test::with_constants(model, feeds), {{first, feeds.at(first)}},
                         "MatMulNBits");
}

class MatMulNBits : public testing::TestWithParam<Case> {};

TEST_P(MatMulNBits, MatchesTheReference) {
  const ir::Model model = model_of(GetParam());
  test::expect_accelerated_matches(model, 7);
  EXPECT_EQ(packed_kernel(model), "fettle");
}

class DeclinedMatMulNBits : public testing::TestWithParam<Case> {};

TEST_P(DeclinedMatMulNBits, IsLeftToTheReference) {
  const ir::Model model = model_of(GetParam());
  test::expect_accelerated_matches(model, 7);
  EXPECT_EQ(packed_kernel(model), "reference");
}

std::vector<Case> taken() {
  const std::string small = "K = 64, N = 20, block_size = 32, bits = ";
  return {
      {"four_bits", "float[5,64] x, uint8[20,2,16] b, float[20,2] s", small + "4", "x, b, s"},
      {"eight_bits", "float[5,64] x, uint8[20,2,32] b, float[20,2] s", small + "8", "x, b, s"},
      {"two_bits", "float[5,64] x, uint8[20,2,8] b, float[20,2] s", small + "2", "x, b, s"},
      {"flat_scales", "float[5,64] x, uint8[20,2,16] b, float[40] s", small + "4", "x, b, s"},
      {"zero_points", "float[5,64] x, uint8[20,2,16] b, float[20,2] s, uint8[20,1] z",
       small + "4", "x, b, s, z"},
      {"zero_points_of_bytes", "float[5,64] x, uint8[20,2,32] b, float[20,2] s, uint8[40] z",
       small + "8", "x, b, s, z"},
      {"zero_points_of_floats", "float[5,64] x, uint8[20,2,16] b, float[20,2] s, float[20,2] z",
       small + "4", "x, b, s, z"},
      {"bias", "float[5,64] x, uint8[20,2,16] b, float[20,2] s, float[20] c", small + "4",
       "x, b, s, , , c"},
      {"odd_tail", "float[2,3,75] x, uint8[33,5,8] b, float[33,5] s, uint8[33,3] z",
       "K = 75, N = 33, block_size = 16, bits = 4", "x, b, s, z"},
      {"vector", "float[64] x, uint8[20,2,16] b, float[20,2] s", small + "4", "x, b, s"},
      {"large", "float[70,512] x, uint8[300,16,16] b, float[300,16] s",
       "K = 512, N = 300, block_size = 32, bits = 4", "x, b, s"},
      {"one_row", "float[1,512] x, uint8[900,16,16] b, float[900,16] s",
       "K = 512, N = 900, block_size = 32, bits = 4", "x, b, s"},
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Forms, MatMulNBits, testing::ValuesIn(taken()), case_name);
INSTANTIATE_TEST_SUITE_P(
    Forms, DeclinedMatMulNBits,
    testing::Values(Case{"no_rows", "float[0,64] x, uint8[20,2,16] b, float[20,2] s",
                         "K = 64, N = 20, block_size = 32, bits = 4", "x, b, s"}),
    case_name);

TEST(MatMulNBits, LeavesGroupsToTheReference) {
  const ir::Model model = test::parse_text_model(
      "<ir_version: 10, opset_import: [\"\" : 21, \"com.microsoft\" : 1]>\n"
      "g (float[3,32] x, uint8[4,2,8] b, float[4,2] s) => (float y) "
      "{ i = Constant <value = int32[32] {0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,"
      "1,1,0,0}> () y = com.microsoft.MatMulNBits <K = 32, N = 4, block_size = 16, bits = 4> "
      "(x, b, s, , i) }");
  test::expect_accelerated_matches(model, 7);
  EXPECT_EQ(packed_kernel(model), "reference");
}

TEST(MatMulNBits, TakesFloat16) {
  const ir::Model model = test::parse_text_model(
      "<ir_version: 10, opset_import: [\"\" : 21, \"com.microsoft\" : 1]>\n"
      "g (float[3,32] f, uint8[4,2,8] b, float[4,2] t) => (float y) { x = Cast <to = 10> (f) "
      "s = Cast <to = 10> (t) h = com.microsoft.MatMulNBits <K = 32, N = 4, block_size = 16, "
      "bits = 4> (x, b, s) y = Cast <to = 1> (h) }");
  test::expect_accelerated_matches(model, 7, 1e-3);
  EXPECT_EQ(packed_kernel(model), "fettle");
}

}  // namespace
}  // namespace fettle
