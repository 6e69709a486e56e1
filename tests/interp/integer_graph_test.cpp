// Integer execution of QDQ graphs against their literal execution.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interp/integer_compare.h"
#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

using ir::DataType;

// A graph in text with 8-bit inputs, fused against literal.
struct Graph {
  std::string name;
  std::string text;
};

class IntegerGraph : public testing::TestWithParam<Graph> {};

void expect_agreement_with_literal(const std::string& text) {
  const ir::Model model = test::parse_text_graph(text, 17);
  const interp::Feeds feeds = test::random_feeds(model, 21);
  const auto exact = test::run_model(model, feeds, {.exact = true, .threads = 1});
  const auto fused = test::run_model(model, feeds, {.exact = false, .threads = 1});
  const auto two = test::run_model(model, feeds, {.exact = false, .threads = 2});
  for (size_t i = 0; i < exact.size(); ++i) {
    ASSERT_EQ(exact[i].tensor.dims(), fused[i].tensor.dims());
    ASSERT_EQ(exact[i].tensor.type(), fused[i].tensor.type());
    EXPECT_TRUE(identical(fused[i].tensor, two[i].tensor));
    if (exact[i].tensor.type() == DataType::kFloat) {
      EXPECT_LE(test::relative_error(exact[i].tensor, fused[i].tensor), 1e-5);
      continue;
    }
    const Difference d = difference(exact[i].tensor, fused[i].tensor);
    EXPECT_LE(d.most, 1.0);
    EXPECT_LE(d.fraction, 2e-3);
  }
}

TEST_P(IntegerGraph, AgreesWithLiteral) {
  expect_agreement_with_literal(GetParam().text);
}

class IntegerChannels : public testing::TestWithParam<Graph> {};

TEST_P(IntegerChannels, AgreesWithLiteral) {
  expect_agreement_with_literal(GetParam().text);
}

std::string pooled(const std::string& type, const std::string& attributes) {
  return "g (" + type +
         " a) => (int8 y) { s = Constant <value = float {0.043}> () "
         "z = Constant <value = int8 {-9}> () af = DequantizeLinear(a, s, z) "
         "c = MaxPool <" +
         attributes + "> (af) y = QuantizeLinear(c, s, z) }";
}

// Channels-last bytes x of one set of parameters, `channels` of them, and what follows them.
std::string after_pool(const std::string& channels, const std::string& outputs,
                       const std::string& body) {
  return "g (int8[2," + channels +
         ",6,7] a) => (" + outputs +
         ") { s = Constant <value = float {0.043}> () z = Constant <value = int8 {-9}> () "
         "af = DequantizeLinear(a, s, z) p = MaxPool <kernel_shape = [1,2]> (af) "
         "x = QuantizeLinear(p, s, z) xf = DequantizeLinear(x, s, z) " +
         body + " }";
}

// `to` = DQ(Q(from)).
std::string pair(const std::string& from, const std::string& to) {
  return to + "q = QuantizeLinear(" + from + ", s, z) " + to + " = DequantizeLinear(" + to +
         "q, s, z) ";
}

std::string shuffled(const std::string& channels, const std::string& split) {
  return after_pool(channels, "int8 y",
                    "h = Constant <value = int64[5] " + split +
                        "> () k = Constant <value = int64[4] {0,-1,6,6}> () r = Reshape(xf, h) " +
                        pair("r", "rf") + "t = Transpose <perm = [0,2,1,3,4]> (rf) " +
                        pair("t", "tf") + "j = Reshape(tf, k) y = QuantizeLinear(j, s, z)");
}

std::string pooled_channels(const std::string& attributes) {
  return after_pool("20", "int8 y",
                    "k = Constant <value_ints = [1]> () r = Unsqueeze(xf, k) " + pair("r", "rf") +
                        "t = MaxPool <" + attributes + "> (rf) " + pair("t", "tf") +
                        "j = Squeeze(tf, k) y = QuantizeLinear(j, s, z)");
}

// Images that lose or find channels, among them forms that no fast kernel takes.
std::vector<Graph> moved_channels() {
  return {
      {"shuffle_2", shuffled("36", "{2,2,18,6,6}")},
      {"shuffle_2_few", shuffled("10", "{2,2,5,6,6}")},
      {"shuffle_3", shuffled("12", "{0,3,-1,6,6}")},
      {"shuffle_of_rows", shuffled("12", "{2,12,6,3,2}")},
      {"channel_pool", pooled_channels("kernel_shape = [1,3,3]")},
      {"channel_pool_strides", pooled_channels("kernel_shape = [1,3,3], strides = [2,1,2]")},
      {"channel_pool_four",
       pooled_channels("kernel_shape = [1,2,3], strides = [4,2,1], pads = [0,1,2,0,0,1]")},
      {"channel_pool_thirds",
       pooled_channels("kernel_shape = [1,2,2], strides = [3,1,1], dilations = [1,2,3]")},
      {"channel_pool_deep", pooled_channels("kernel_shape = [2,3,3], strides = [2,1,1]")},
      {"split_channels",
       after_pool("20", "int8 y, int8 v",
                  "b, c = Split <axis = 1> (xf) y = QuantizeLinear(b, s, z) "
                  "v = QuantizeLinear(c, s, z)")},
      {"split_mixed",
       after_pool("20", "int8 y, float v, int8 w",
                  "k = Constant <value = int64[3] {7,12,1}> () t = Constant <value = float {0.1}> "
                  "() b, c, d = Split <axis = 1> (xf, k) y = QuantizeLinear(b, s, z) v = Neg(c) "
                  "w = QuantizeLinear(d, t, z)")},
      {"split_rows",
       after_pool("20", "int8 y, int8 v",
                  "b, c = Split <axis = 2> (xf) y = QuantizeLinear(c, s, z) "
                  "v = QuantizeLinear(b, s, z)")},
  };
}

std::vector<Graph> graphs() {
  const std::string scales =
      "s = Constant <value = float {0.043}> () t = Constant <value = float {0.027}> () "
      "u = Constant <value = float {0.3917}> () zs = Constant <value = uint8 {117}> () "
      "zt = Constant <value = uint8 {131}> () zu = Constant <value = uint8 {90}> () ";
  const std::string two = "g (uint8[2,5,40] a, uint8[2,5,40] b) => (uint8 y) { " + scales +
                          "af = DequantizeLinear(a, s, zs) bf = DequantizeLinear(b, t, zt) ";
  const std::string product = "g (uint8[3,7,40] a, uint8[3,40,21] b) => (";
  const std::string operands =
      " y) { " + scales + "af = DequantizeLinear(a, s, zs) bf = DequantizeLinear(b, t, zt) ";
  // c = a times a constant matrix of three columns.
  const std::string weighted =
      "g (uint8[5,4] a) => (uint8 y) { " + scales +
      "af = DequantizeLinear(a, s, zs) zw = Constant <value = int8 {0}> () "
      "b = Constant <value = int8[4,3] {1, -20, 100, 7, 50, -3, 9, 0, 127, -128, 4, 12}> () "
      "bf = DequantizeLinear(b, t, zw) c = MatMul(af, bf) ";
  const std::string one =
      "g (uint8[2,5,6,6] a) => (uint8 y) { " + scales + "af = DequantizeLinear(a, s, zs) ";
  const std::string images =
      "g (uint8[2,5,6,6] a, uint8[2,5,6,6] b) => (uint8 y) { " + scales +
      "af = DequantizeLinear(a, s, zs) bf = DequantizeLinear(b, t, zt) p = MaxPool <kernel_shape = "
      "[1,1]> (af) pq = QuantizeLinear(p, s, zs) pf = DequantizeLinear(pq, s, zs) ";
  return {
      {"concat", two + "c = Concat <axis = -1> (af, bf) y = QuantizeLinear(c, s, zs) }"},
      {"concat_channels",
       images + "c = Concat <axis = 1> (pf, bf, af) y = QuantizeLinear(c, u, zu) }"},
      {"concat_rows", images + "c = Concat <axis = 2> (pf, bf) y = QuantizeLinear(c, t, zt) }"},
      {"concat_samples", images + "c = Concat <axis = 0> (bf, pf) y = QuantizeLinear(c, t, zt) }"},
      {"add_mixed_layouts", images + "c = Add(pf, bf) y = QuantizeLinear(c, u, zu) }"},
      {"scale_channels",
       images + "m = GlobalAveragePool(pf) mq = QuantizeLinear(m, t, zt) mf = "
                "DequantizeLinear(mq, t, zt) c = Mul(pf, mf) y = QuantizeLinear(c, u, zu) }"},
      {"scale_rows",
       "g (uint8[2,3,70] a, uint8[2,3,1] b) => (uint8 y) { " + scales +
           "af = DequantizeLinear(a, s, zs) bf = DequantizeLinear(b, t, zt) c = Mul(bf, af) "
           "y = QuantizeLinear(c, u, zu) }"},
      {"gate", one +
                   "c = Sigmoid(af) cq = QuantizeLinear(c, t, zt) cf = DequantizeLinear(cq, t, zt) "
                   "m = Mul(af, cf) y = QuantizeLinear(m, u, zu) }"},
      {"gate_of_another",
       images + "c = Sigmoid(pf) cq = QuantizeLinear(c, t, zt) cf = DequantizeLinear(cq, t, zt) "
                "m = Mul(cf, bf) y = QuantizeLinear(m, u, zu) }"},
      {"chain",
       images + "k = Constant <value = uint8 {200}> () kf = DequantizeLinear(k, s, zs) "
                "c = Add(pf, kf) cq = QuantizeLinear(c, u, zu) cf = DequantizeLinear(cq, u, zu) "
                "d = Sigmoid(cf) dq = QuantizeLinear(d, t, zt) df = DequantizeLinear(dq, t, zt) "
                "m = Mul(pf, df) mq = QuantizeLinear(m, u, zu) mf = DequantizeLinear(mq, u, zu) "
                "n = Mul(mf, kf) y = QuantizeLinear(n, u, zu) }"},
      {"per_channel_constant",
       images + "k = Constant <value = uint8[5,1,1] {1, 90, 200, 255, 0}> () "
                "kf = DequantizeLinear(k, t, zt) c = Mul(kf, pf) y = QuantizeLinear(c, u, zu) }"},
      {"constant_with_more_axes",
       two + "k = Constant <value = uint8[1,1,1,1,1] {190}> () kf = DequantizeLinear(k, t, zt) "
             "c = Add(kf, af) y = QuantizeLinear(c, u, zu) }"},
      {"constant_with_more_axes_than_an_image",
       images + "k = Constant <value = uint8[1,1,1,1,1] {190}> () kf = DequantizeLinear(k, t, zt) "
                "c = Mul(pf, kf) y = QuantizeLinear(c, u, zu) }"},
      {"constant_with_as_many_axes",
       images + "k = Constant <value = uint8[1,1,1,1] {190}> () kf = DequantizeLinear(k, t, zt) "
                "c = Add(pf, kf) y = QuantizeLinear(c, u, zu) }"},
      {"row_constant",
       images + "k = Constant <value = uint8[6] {1, 90, 200, 255, 0, 17}> () "
                "kf = DequantizeLinear(k, t, zt) c = Add(pf, kf) y = QuantizeLinear(c, u, zu) }"},
      {"max_pool_rescaled",
       one + "c = MaxPool <kernel_shape = [3,2], pads = [1,0,2,1], strides = [2,1]> (af) "
             "y = QuantizeLinear(c, t, zt) }"},
      {"max_pool_signed",
       "g (int8[1,3,9,7] a) => (int8 y) { s = Constant <value = float {0.043}> () z = Constant "
       "<value = int8 {-9}> () af = DequantizeLinear(a, s, z) c = MaxPool <kernel_shape = [3,3], "
       "dilations = [2,1], ceil_mode = 1, strides = [2,2]> (af) y = QuantizeLinear(c, s, z) }"},
      {"max_pool_deep", pooled("int8[1,1,7,9,81]", "kernel_shape = [1,3,3], strides = [4,1,2]")},
      {"max_pool_channels",
       pooled("int8[2,19,23,21]", "kernel_shape = [5,4], strides = [1,3], pads = [4,3,0,1]")},
      {"max_pool_wide", pooled("int8[1,2,5,150]", "kernel_shape = [3,9], dilations = [1,2]")},
      {"pooled_movement",
       images + "c = Transpose <perm = [0,3,1,2]> (pf) y = QuantizeLinear(c, s, zs) }"},
      {"resize", images +
                     "r = Constant <value = float[4] {1.0, 1.0, 2.0, 2.0}> () "
                     "c = Resize <mode = \"nearest\"> (pf, , r) y = QuantizeLinear(c, s, zs) }"},
      {"float_gate", images + "c = Sigmoid(pf) m = Mul(bf, c) y = QuantizeLinear(m, u, zu) }"},
      {"float_gate_of_channels",
       images + "m = GlobalAveragePool(pf) h = HardSigmoid(m) c = Mul(pf, h) "
                "y = QuantizeLinear(c, u, zu) }"},
      {"float_function_read_twice",
       images + "c = HardSwish(pf) m = GlobalAveragePool(c) d = Mul(c, m) "
                "y = QuantizeLinear(d, u, zu) }"},
      {"float_rows",
       "g (uint8[4,3,64] a, float[64] b) => (uint8 y) { " + scales +
           "af = DequantizeLinear(a, s, zs) m = ReduceMean <axes = [-1]> (af) d = Sub(af, m) "
           "e = Mul(d, b) f = Tanh(b) h = Add(e, f) y = QuantizeLinear(h, u, zu) }"},
      {"float_rows_of_bytes",
       "g (uint8[2,300] a, uint8[300] b) => (float y) { " + scales +
           "af = DequantizeLinear(a, s, zs) bf = DequantizeLinear(b, t, zt) c = Exp(bf) "
           "y = Mul(af, c) }"},
      {"float_slopes", images + "k = Constant <value = float[5,1,1] {0.1, 0.9, -0.2, 2.0, 0.0}> () "
                                "c = PRelu(pf, k) y = QuantizeLinear(c, u, zu) }"},
      {"float_slope_of_rows",
       "g (uint8[2,3,70] a, float[3,1] b) => (float y) { " + scales +
           "af = DequantizeLinear(a, s, zs) c = PRelu(af, b) y = Neg(c) }"},
      // Shapes that make no rows: computed node by node.
      {"float_crossed",
       "g (uint8[2,1,5,1] a, float[1,3,1,7] b) => (uint8 y) { " + scales +
           "af = DequantizeLinear(a, s, zs) c = Tanh(b) d = Mul(af, c) "
           "y = QuantizeLinear(d, u, zu) }"},
      {"add", two + "c = Add(af, bf) y = QuantizeLinear(c, u, zu) }"},
      {"mul", two + "c = Mul(af, bf) y = QuantizeLinear(c, u, zu) }"},
      {"product_quantized",
       product + "uint8" + operands + "c = MatMul(af, bf) y = QuantizeLinear(c, u, zu) }"},
      {"gather", one + "i = Constant <value = int64[3] {4, 0, -1}> () c = Gather <axis = 1> (af, i) "
                       "y = QuantizeLinear(c, s, zs) }"},
      {"product_bias", weighted + "w = Constant <value = float[3] {0.4, -7.0, 2.5}> () "
                                  "d = Add(w, c) y = QuantizeLinear(d, u, zu) }"},
      {"product_bias_read_twice",
       weighted + "w = Constant <value = float[3] {0.4, -7.0, 2.5}> () d = Add(c, w) e = Neg(c) "
                  "h = Add(d, e) y = QuantizeLinear(h, u, zu) }"},
      {"product_bias_steps",
       weighted + "n = Constant <value = int32[3] {500, -900, 31}> () "
                  "v = Constant <value = float {0.001161}> () w = DequantizeLinear(n, v) "
                  "d = Add(c, w) y = QuantizeLinear(d, u, zu) }"},
      {"product_bias_of_more_axes", weighted + "w = Constant <value = float[1,3] {0.4, -7.0, 2.5}> "
                                               "() d = Add(c, w) y = QuantizeLinear(d, u, zu) }"},
      {"product_float", product + "float" + operands + "y = MatMul(af, bf) }"},
      {"sigmoid", one + "c = Sigmoid(af) y = QuantizeLinear(c, t, zt) }"},
      {"hard_swish", one + "c = HardSwish(af) y = QuantizeLinear(c, t, zt) }"},
      {"leaky", one + "c = LeakyRelu <alpha = 0.3> (af) y = QuantizeLinear(c, t, zt) }"},
      {"transpose", one + "c = Transpose <perm = [0,2,3,1]> (af) y = QuantizeLinear(c, s, zs) }"},
      {"max_pool", one + "c = MaxPool <kernel_shape = [2,2]> (af) y = QuantizeLinear(c, s, zs) }"},
      {"average_pool", one + "c = GlobalAveragePool(af) y = QuantizeLinear(c, t, zt) }"},
      {"average_pool_signed",
       "g (int8[2,21,5,7] a) => (int8 y) { s = Constant <value = float {0.043}> () z = Constant "
       "<value = int8 {-9}> () af = DequantizeLinear(a, s, z) c = GlobalAveragePool(af) "
       "y = QuantizeLinear(c, s, z) }"},
      {"dynamic",
       "g (float[3,40] a, int8[40,11] b) => (float y) { q, s, z = "
       "DynamicQuantizeLinear(a) zb = Constant <value = int8 {0}> () c = "
       "MatMulInteger(q, b, z, zb) f = Cast <to = 1> (c) y = Mul(f, s) }"},
      {"convolution_integer",
       "g (uint8[1,3,8,8] x, uint8[4,3,3,3] w) => (int32 y) { zx = Constant "
       "<value = uint8 {100}> () zw = Constant <value = uint8 {99}> () "
       "y = ConvInteger <pads = [1,1,1,1]> (x, w, zx, zw) }"},
  };
}

INSTANTIATE_TEST_SUITE_P(Cases, IntegerGraph, testing::ValuesIn(graphs()), NameOf());
INSTANTIATE_TEST_SUITE_P(Cases, IntegerChannels, testing::ValuesIn(moved_channels()), NameOf());

}  // namespace
}  // namespace fettle
