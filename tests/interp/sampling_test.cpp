// GridSample, GatherElements and RotaryEmbedding against the reference kernels.
#include <gtest/gtest.h>

#include <limits>
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
  std::string op;
  std::string graph;
  std::string kernel = "fettle";
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.graph;
}

class Sampling : public testing::TestWithParam<Case> {};

TEST_P(Sampling, MatchesTheReference) {
  const ir::Model model = test::parse_text_model(
      "<ir_version: 10, opset_import: [\"\" : 23, \"com.microsoft\" : 1]>\n" + GetParam().graph);
  test::expect_accelerated_matches(model, 21);
  EXPECT_EQ(test::kernel_of(model, test::random_feeds(model, 21), GetParam().op),
            GetParam().kernel);
}

std::vector<Case> grids() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, const std::string& x, const std::string& grid,
                       const std::string& attributes, const std::string& kernel = "fettle") {
    cases.push_back({name, "GridSample",
                     "g (float" + x + " x, float" + grid + " p) => (float y) { y = GridSample <" +
                         attributes + "> (x, p) }",
                     kernel});
  };
  for (const std::string mode : {"linear", "nearest"}) {
    for (const std::string padding : {"zeros", "border", "reflection"}) {
      for (const std::string corners : {"0", "1"}) {
        add(mode + "_" + padding + "_" + corners, "[2,3,7,9]", "[2,5,6,2]",
            "mode = \"" + mode + "\", padding_mode = \"" + padding +
                "\", align_corners = " + corners);
      }
    }
  }
  add("large", "[1,9,40,30]", "[1,80,90,2]", "mode = \"linear\"");
  add("one_pixel", "[1,2,1,1]", "[1,3,3,2]", "mode = \"linear\", padding_mode = \"border\"");
  add("cubic", "[1,2,7,9]", "[1,5,6,2]", "mode = \"cubic\"", "reference");
  add("volumes", "[1,2,5,6,7]", "[1,2,3,4,3]", "mode = \"linear\"", "reference");
  return cases;
}

// Indices in [-n, n - 1] made of random numbers.
Case gather(const std::string& name, const std::string& data, const std::string& indices,
            int64_t axis, int64_t extent, const std::string& type, const std::string& kernel,
            const std::string& before = "d = Identity (x)", const std::string& after = "y") {
  const std::string n = std::to_string(extent);
  const std::string last = after == "y" ? "" : " " + after;
  return {name, "GatherElements",
          "g (float" + data + " x, float" + indices + " f) => (float y) { " + before +
              " c = Constant <value_float = " + n +
              ".0> () l = Neg (c) o = Constant <value_float = 1.0> () h = Sub (c, o) "
              "m = Mul (f, c) b = Clip (m, l, h) i = Cast <to = " +
              type + "> (b) " + (after == "y" ? "y" : "t") + " = GatherElements <axis = " +
              std::to_string(axis) + "> (d, i)" + last + " }",
          kernel};
}

std::vector<Case> gathers() {
  const std::string cast = "y = Cast <to = 1> (t)";
  return {
      gather("first_axis", "[9,20]", "[5,17]", 0, 9, "7", "fettle"),
      gather("last_axis", "[9,20]", "[9,33]", 1, 20, "7", "fettle"),
      gather("negative_axis", "[4,9,20]", "[3,9,33]", -1, 20, "6", "fettle"),
      gather("middle_axis", "[4,9,20]", "[3,50,11]", 1, 9, "7", "fettle"),
      gather("vector", "[200]", "[333]", 0, 200, "7", "fettle"),
      gather("large", "[4,100,300]", "[4,200,300]", 1, 100, "7", "fettle"),
      gather("bytes", "[9,20]", "[5,17]", 0, 9, "7", "fettle", "d = Cast <to = 3> (x)", cast),
      gather("halves", "[9,20]", "[5,17]", 0, 9, "7", "fettle", "d = Cast <to = 10> (x)", cast),
      gather("wide", "[9,20]", "[5,17]", 0, 9, "7", "fettle", "d = Cast <to = 11> (x)", cast),
      gather("nothing", "[9,20]", "[0,17]", 0, 9, "7", "reference"),
  };
}

std::vector<Case> rotations() {
  const auto standard = [](const std::string& name, const std::string& inputs,
                           const std::string& attributes, const std::string& operands,
                           const std::string& before = "") {
    return Case{name, "RotaryEmbedding",
                "g (" + inputs + ") => (float y) { " + before + " y = RotaryEmbedding " +
                    (attributes.empty() ? "" : "<" + attributes + "> ") + "(" + operands + ") }"};
  };
  const std::string ids = "i = Constant <value = int64[2,5] {0,3,2,8,8,1,1,7,6,0}> ()";
  const std::string caches = ", float[9,8] c, float[9,8] s";
  const auto contrib = [&](const std::string& name, const std::string& x,
                           const std::string& attributes, const std::string& positions) {
    Case c = standard(name, "float" + x + " x" + caches, attributes, "x, i, c, s", positions);
    c.graph.insert(c.graph.find("RotaryEmbedding"), "com.microsoft.");
    return c;
  };
  return {
      standard("stacked", "float[2,3,5,16] x" + caches, "", "x, c, s, i", ids),
      standard("interleaved", "float[2,3,5,16] x" + caches, "interleaved = 1", "x, c, s, i", ids),
      standard("packed", "float[2,5,48] x" + caches, "num_heads = 3", "x, c, s, i", ids),
      standard("partial", "float[2,3,5,20] x" + caches, "rotary_embedding_dim = 16", "x, c, s, i",
               ids),
      standard("partial_interleaved", "float[2,3,5,21] x" + caches,
               "rotary_embedding_dim = 16, interleaved = 1", "x, c, s, i", ids),
      standard("by_token", "float[2,3,5,16] x, float[2,5,8] c, float[2,5,8] s", "", "x, c, s"),
      standard("large", "float[1,12,200,64] x, float[1,200,32] c, float[1,200,32] s", "",
               "x, c, s"),
      contrib("contrib", "[2,3,5,16]", "", ids),
      contrib("contrib_packed", "[2,5,48]", "interleaved = 1", ids),
      contrib("contrib_offset", "[2,3,5,16]", "", "i = Constant <value = int64[1] {3}> ()"),
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Grids, Sampling, testing::ValuesIn(grids()), case_name);
INSTANTIATE_TEST_SUITE_P(Gathers, Sampling, testing::ValuesIn(gathers()), case_name);
INSTANTIATE_TEST_SUITE_P(Rotations, Sampling, testing::ValuesIn(rotations()), case_name);

TEST(GatherElements, RefusesIndicesOutOfRange) {
  const ir::Model model = test::parse_text_graph(
      "g (float[3,4] x) => (float y) { i = Constant <value = int64[1,2] {0,3}> () "
      "y = GatherElements (x, i) }");
  EXPECT_THROW(test::run_model(model, test::random_feeds(model, 1)), Error);
}

// What lies beside the pixels that count is not read into the sum.
TEST(GridSample, IgnoresNanOutside) {
  const ir::Model model = test::parse_text_graph(
      "g (float[1,1,2,2] x, float[1,1,1,2] p) => (float y) { y = GridSample (x, p) }", 20);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  interp::Feeds feeds;
  feeds["x"] = ops::RuntimeValue(ir::Tensor::of<float>({1, 1, 2, 2}, {nan, nan, nan, 4.0f}));
  feeds["p"] = ops::RuntimeValue(ir::Tensor::of<float>({1, 1, 1, 2}, {1.0f, 1.0f}));
  EXPECT_FLOAT_EQ(test::run_model(model, feeds)[0].tensor.data<float>()[0], 1.0f);
  feeds["p"] = ops::RuntimeValue(ir::Tensor::of<float>({1, 1, 1, 2}, {5.0f, 5.0f}));
  EXPECT_EQ(test::run_model(model, feeds)[0].tensor.data<float>()[0], 0.0f);
}

}  // namespace
}  // namespace fettle
