// ConvTranspose by products of rows: all ways through the loops, and what one step takes over,
// against reference kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string x, w;  // dims
  std::string attributes;
  int64_t filters;

  int64_t channels() const { return std::stoll(x.substr(x.find(',') + 1)); }
  int64_t rank() const { return std::count(x.begin(), x.end(), ',') + 1; }
};

class TransposedConvolutions : public testing::TestWithParam<Case> {
 protected:
  // A graph whose ConvTranspose is followed by `rest`, which makes z of y.
  void expect_match(const std::string& inputs, const std::string& rest,
                    const std::string& before = "v = Identity(x) ") const {
    const Case& c = GetParam();
    const std::string attributes = c.attributes.empty() ? "" : " <" + c.attributes + "> ";
    const ir::Model model =
        test::parse_text_graph("g (float[" + c.x + "] x, float[" + c.w + "] w" + inputs +
                               ") => (float z) { " + before + "y = ConvTranspose" + attributes +
                               "(v, w" + (inputs.empty() ? "" : ", b") + ") " + rest + " }");
    test::expect_accelerated_matches(model, 11);
  }
  std::string bias() const { return ", float[" + std::to_string(GetParam().filters) + "] b"; }
};

TEST_P(TransposedConvolutions, Alone) {
  expect_match("", "z = Neg(y)");
}

TEST_P(TransposedConvolutions, WithBiasAndClamp) {
  expect_match(bias(), "z = Relu(y)");
}

TEST_P(TransposedConvolutions, WithBiasAndFunction) {
  expect_match(bias(), "z = Sigmoid(y)");
}

// The addend exists before and is not needed after.
TEST_P(TransposedConvolutions, WithResidual) {
  expect_match(bias(),
               "s = Add(y, r) l = Constant <value = float {-10.0}> () "
               "h = Constant <value = float {15.0}> () z = Clip(s, l, h)",
               "p = ConvTranspose <" + GetParam().attributes +
                   "> (x, w) r = Abs(p) "
                   "v = Tanh(x) ");
}

TEST_P(TransposedConvolutions, WithResidualReadLater) {
  expect_match(bias(), "s = Add(r, y) a = Tanh(s) z = Mul(a, r)",
               "p = ConvTranspose <" + GetParam().attributes +
                   "> (x, w) r = Abs(p) "
                   "v = Tanh(x) ");
}

// The operand comes in a layout of channels.
TEST_P(TransposedConvolutions, OfOperandWithChannelsLast) {
  const std::string channels = std::to_string(GetParam().channels());
  std::string dims = channels + "," + channels;
  for (int64_t axis = 2; axis < GetParam().rank(); ++axis) dims += ",1";
  expect_match(", float[" + dims + "] e" + bias(), "z = Relu(y)", "v = ConvTranspose(x, e) ");
}

const std::string kTwo = "strides = [2, 2]";

std::string case_name(const testing::TestParamInfo<Case>& tested) {
  return tested.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Geometry, TransposedConvolutions,
    testing::Values(
        Case{"tiles", "2,5,7,6", "5,9,2,2", kTwo, 9},
        Case{"tiles_narrow", "2,5,7,6", "5,1,2,2", kTwo, 1},
        Case{"tiles_narrow_uneven", "1,3,4,5", "3,2,3,2", "strides = [3, 2]", 2},
        Case{"tiles_long_rows", "1,2,3,4700", "2,1,2,2", kTwo, 1},
        Case{"single_tap", "1,8,9,11", "8,1,1,1", "strides = [1, 1]", 1},
        Case{"single_tap_wide", "1,8,9,11", "8,70,1,1", "strides = [1, 1]", 70},
        Case{"overlap", "2,6,7,5", "6,8,3,3", "strides = [2, 2], pads = [0, 0, 1, 1]", 8},
        Case{"overlap_narrow", "2,6,7,5", "6,1,4,4", "strides = [2, 2], pads = [1, 1, 1, 1]", 1},
        Case{"overlap_dense", "1,4,6,6", "4,3,3,3", "pads = [1, 1, 1, 1]", 3},
        Case{"overlap_large", "1,16,40,40", "16,24,3,3",
             "strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]", 24},
        Case{"gaps", "1,4,5,6", "4,3,2,2", "strides = [4, 3]", 3},
        Case{"dilated", "1,4,5,6", "4,7,3,3", "dilations = [2, 3], strides = [2, 1]", 7},
        Case{"asymmetric", "1,4,5,9", "4,5,2,5", "strides = [1, 3], pads = [1, 0, 0, 4]", 5},
        Case{"padding_beyond_taps", "1,2,6,6", "2,20,3,3", "strides = [1, 2], pads = [3, 4, 3, 4]",
             20},
        Case{"output_shape", "1,3,3,3", "3,2,3,3", "strides = [3, 2], output_shape = [10, 8]", 2},
        Case{"same", "1,3,5,4", "3,2,3,3", "strides = [2, 2], auto_pad = \"SAME_LOWER\"", 2},
        Case{"groups", "2,6,5,4", "6,4,3,3", "strides = [2, 2], group = 2, pads = [1, 0, 0, 1]", 8},
        Case{"groups_narrow", "1,6,5,4", "6,1,2,2", "strides = [2, 2], group = 3", 3},
        Case{"depthwise", "2,5,7,6", "5,1,3,3", "group = 5, pads = [1, 1, 1, 1]", 5},
        Case{"depthwise_dilated", "1,16,11,9", "16,1,3,3",
             "group = 16, dilations = [5, 1], pads = [10, 1, 10, 1]", 16},
        Case{"depthwise_stride", "1,20,5,6", "20,1,3,2", "group = 20, strides = [2, 3]", 20},
        Case{"multiplier", "1,3,5,6", "3,2,3,2", "group = 3, strides = [2, 1]", 6},
        Case{"one_axis", "2,6,21", "6,5,4", "strides = [2], pads = [1, 1]", 5},
        Case{"one_axis_tiles", "2,6,21", "6,5,4", "strides = [4]", 5},
        Case{"one_axis_depthwise", "2,6,21", "6,1,4", "strides = [2], group = 6", 6},
        Case{"three_axes", "1,3,4,3,5", "3,4,2,3,2", "strides = [2, 1, 2]", 4},
        Case{"three_axes_groups", "1,4,3,3,3", "4,2,3,3,3", "group = 2", 4},
        Case{"many_weights", "2,32,9,7", "32,40,4,4", "strides = [2, 2], pads = [1, 1, 1, 1]", 40},
        Case{"many_weights_for_one_position", "3,64,1,1", "64,30,4,3", "strides = [1, 1]", 30},
        Case{"many_weights_narrow", "1,1400,5,3", "1400,1,4,3",
             "strides = [3, 1], pads = [0, 1, 2, 1]", 1},
        Case{"many_weights_dilated", "1,48,5,6", "48,40,3,3",
             "strides = [1, 2], dilations = [2, 1], pads = [1, 0, 0, 1]", 40},
        Case{"many_weights_groups", "2,64,5,4", "64,24,4,4",
             "strides = [2, 2], group = 2, pads = [1, 1, 1, 1]", 48},
        Case{"many_weights_one_axis", "2,64,21", "64,50,8", "strides = [4], pads = [2, 2]", 50},
        Case{"deep", "1,300,3,4", "300,17,2,2", kTwo, 17}),
    case_name);

// Scale and shift of channels go into the weights.
TEST(TransposedConvolution, TakesNormalization) {
  for (const char* group : {"1", "4", "2"}) {
    const ir::Model model = test::parse_text_graph(
        "g (float[1,4,5,6] x) => (float z) { "
        "i = Constant <value = float[8] {0.5, -1.0, 0.25, 2.0, 1.5, -0.75, 3.0, 0.125}> () "
        "s = Constant <value_ints = [4, 2, 1, 1]> () r = Reshape(i, s) "
        "k = Constant <value_ints = [1, 1, 3, 2]> () w = Tile(r, k) "
        "f = Constant <value_ints = [" +
        std::string(group) +
        "]> () j = Tile(i, f) "
        "y = ConvTranspose <group = " +
        group +
        ", strides = [2, 2]> (x, w) "
        "two = Constant <value = float {2.0}> () m = Mul(y, two) "
        "a = Add(m, two) z = Relu(a) }");
    test::expect_accelerated_matches(model, 5);
  }
}

TEST(TransposedConvolution, EmptyBatch) {
  const ir::Model model = test::parse_text_graph(
      "g (float[0,4,5,6] x, float[4,3,2,2] w) => (float z) "
      "{ y = ConvTranspose <strides = [2, 2]> (x, w) z = Relu(y) }");
  test::expect_accelerated_matches(model, 5);
}

}  // namespace
}  // namespace fettle
