// Accelerated kernels against reference kernels on random data with fixed seeds.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string graph;
  int64_t opset = 17;
};

class Accelerated : public testing::TestWithParam<Case> {};

TEST_P(Accelerated, MatchesTheReference) {
  const ir::Model model = test::parse_text_graph(GetParam().graph, GetParam().opset);
  test::expect_accelerated_matches(model, 11);
}

// One node `z = op(x, w[, b])` with these shapes.
Case conv(const std::string& name, const std::string& x, const std::string& w,
          const std::string& attributes, const std::string& bias = "",
          const std::string& op = "Conv") {
  std::string graph = "g (float" + x + " x, float" + w + " w";
  if (!bias.empty()) graph += ", float" + bias + " b";
  graph += ") => (float z) { z = " + op + " <" + attributes + "> (x, w" +
           (bias.empty() ? "" : ", b") + ") }";
  return {name, graph};
}

std::vector<Case> convolutions() {
  return {
      conv("plain", "[2,3,11,13]", "[5,3,3,3]", "pads = [1,1,1,1]", "[5]"),
      conv("blocked", "[1,32,14,14]", "[48,32,3,3]", "pads = [1,1,1,1]", "[48]"),
      conv("one_by_one", "[1,64,7,7]", "[32,64,1,1]", "strides = [2,2]"),
      conv("depthwise", "[1,24,9,9]", "[24,1,3,3]", "group = 24, pads = [1,1,1,1]", "[24]"),
      conv("grouped", "[2,12,8,8]", "[8,3,3,3]", "group = 4", "[8]"),
      conv("dilated", "[1,4,15,15]", "[6,4,3,3]", "dilations = [2,3], pads = [2,3,2,3]"),
      conv("uneven_pads", "[1,4,9,9]", "[6,4,3,3]", "pads = [0,1,2,1], strides = [2,3]"),
      conv("same_upper", "[1,4,9,10]", "[6,4,3,4]", "auto_pad = \"SAME_UPPER\", strides = [2,2]"),
      conv("same_lower", "[1,4,9,10]", "[6,4,3,4]", "auto_pad = \"SAME_LOWER\", strides = [2,2]"),
      conv("one_axis", "[2,5,40]", "[7,5,4]", "strides = [3]", "[7]"),
      conv("three_axes", "[1,3,6,7,8]", "[4,3,2,3,3]", "pads = [1,0,1,0,1,0]", "[4]"),
      conv("large", "[1,40,33,35]", "[72,40,3,3]", "pads = [1,1,1,1]", "[72]"),
      conv("deep", "[1,256,6,6]", "[24,256,3,3]", "pads = [1,1,1,1]"),
      conv("one_position", "[1,512,1,1]", "[100,512,1,1]", "strides = [1,1]", "[100]"),
      conv("odd_groups", "[1,9,20,20]", "[15,3,3,3]", "group = 3"),
      conv("unused_tail", "[1,3,10,10]", "[4,3,3,3]", "strides = [4,4]"),
      conv("transposed", "[1,6,5,7]", "[6,4,3,3]", "strides = [2,2], pads = [1,1,1,1]", "[4]",
           "ConvTranspose"),
      conv("transposed_grouped", "[2,6,5,5]", "[6,2,2,3]", "group = 3, strides = [2,1]", "",
           "ConvTranspose"),
      conv("transposed_output_padding", "[1,4,5,5]", "[4,3,3,3]",
           "strides = [2,2], output_padding = [1,1]", "", "ConvTranspose"),
      conv("transposed_output_shape", "[1,4,5,5]", "[4,3,3,3]",
           "strides = [2,2], output_shape = [10,12]", "", "ConvTranspose"),
      conv("transposed_one_axis", "[1,4,20]", "[4,8,5]", "strides = [2], dilations = [2]", "[8]",
           "ConvTranspose"),
  };
}

std::vector<Case> products() {
  const auto matmul = [](const std::string& name, const std::string& a, const std::string& b) {
    return Case{name, "g (float" + a + " a, float" + b + " b) => (float z) { z = MatMul(a, b) }"};
  };
  const auto gemm = [](const std::string& name, const std::string& shapes,
                       const std::string& attributes, bool c) {
    return Case{"gemm_" + name, "g (" + shapes + ") => (float z) { z = Gemm <" + attributes +
                                    "> (a, b" + (c ? ", c" : "") + ") }"};
  };
  return {
      matmul("matrices", "[17,33]", "[33,9]"),
      matmul("rows", "[2,5,16]", "[16,24]"),
      matmul("batches", "[2,3,5,16]", "[2,3,16,7]"),
      matmul("broadcast_left", "[3,5,16]", "[2,1,16,7]"),
      matmul("broadcast_right", "[2,3,5,16]", "[1,16,7]"),
      matmul("vector_left", "[16]", "[3,16,7]"),
      matmul("vector_right", "[3,5,16]", "[16]"),
      matmul("two_vectors", "[16]", "[16]"),
      matmul("long_sum", "[1,4096]", "[4096,10]"),
      matmul("one_row_wide", "[1,512]", "[512,1024]"),
      matmul("large", "[130,300]", "[300,700]"),
      matmul("large_batches", "[5,90,64]", "[5,64,90]"),
      matmul("tall", "[700,64]", "[64,3]"),
      gemm("plain", "float[4,6] a, float[6,5] b, float[5] c", "alpha = 1.0", true),
      gemm("scaled", "float[4,6] a, float[6,5] b, float[4,1] c", "alpha = 0.5, beta = 2.0", true),
      gemm("transposed", "float[6,4] a, float[5,6] b, float[1] c", "transA = 1, transB = 1", true),
      gemm("full_addend", "float[4,6] a, float[5,6] b, float[4,5] c", "transB = 1", true),
      gemm("no_addend", "float[40,64] a, float[64,50] b", "alpha = 3.0", false),
      gemm("long_sum", "float[2,2048] a, float[1000,2048] b, float[1000] c", "transB = 1", true),
  };
}

std::vector<Case> pools() {
  const auto pool = [](const std::string& name, const std::string& op, const std::string& x,
                       const std::string& attributes, int64_t opset = 17) {
    return Case{name,
                "g (float" + x + " x) => (float z) { z = " + op +
                    (attributes.empty() ? "" : " <" + attributes + ">") + " (x) }",
                opset};
  };
  return {
      pool("max", "MaxPool", "[2,5,12,13]", "kernel_shape = [3,2], strides = [2,2]"),
      pool("max_padded", "MaxPool", "[1,16,9,9]", "kernel_shape = [3,3], pads = [1,1,1,1]"),
      pool("max_ceil", "MaxPool", "[1,3,10,10]",
           "kernel_shape = [3,3], strides = [2,2], ceil_mode = 1"),
      pool("max_dilated", "MaxPool", "[1,3,12,12]", "kernel_shape = [3,3], dilations = [2,2]"),
      pool("max_one_axis", "MaxPool", "[2,3,20]", "kernel_shape = [4], strides = [3]"),
      pool("max_three_axes", "MaxPool", "[1,2,6,6,6]", "kernel_shape = [2,2,2]"),
      pool("average", "AveragePool", "[1,3,9,9]", "kernel_shape = [3,3], pads = [1,1,1,1]"),
      pool("average_counting", "AveragePool", "[1,3,9,9]",
           "kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1"),
      pool("average_ceil", "AveragePool", "[1,3,10,10]",
           "kernel_shape = [3,3], strides = [2,2], ceil_mode = 1, pads = [1,1,1,1], "
           "count_include_pad = 1",
           19),
      pool("average_same", "AveragePool", "[1,3,9,9]",
           "kernel_shape = [3,3], strides = [2,2], auto_pad = \"SAME_UPPER\""),
      pool("global_average", "GlobalAveragePool", "[2,7,5,6]", ""),
      pool("global_average_large", "GlobalAveragePool", "[1,32,60,60]", ""),
  };
}

std::vector<Case> elementwise() {
  std::vector<Case> cases;
  for (const char* op : {"Abs", "Erf", "Exp", "HardSigmoid", "HardSwish", "LeakyRelu", "Neg",
                         "Relu", "Sigmoid", "Tanh"}) {
    cases.push_back(
        {std::string(op), std::string("g (float[3,50000] x) => (float z) { z = ") + op + "(x) }"});
  }
  cases.push_back({"Clip",
                   "g (float[3,500] x) => (float z) { lo = Constant <value = float {-0.5}> () "
                   "hi = Constant <value = float {0.25}> () z = Clip(x, lo, hi) }"});
  const std::vector<std::pair<std::string, std::string>> shapes{
      {"[4,5]", "[4,5]"},         {"[4,5]", "[5]"},         {"[4,5]", "[]"},
      {"[4,1]", "[1,5]"},         {"[2,3,4,5]", "[3,1,1]"}, {"[3,1,1]", "[2,3,4,5]"},
      {"[2,1,4,1]", "[1,3,1,5]"}, {"[300,400]", "[300,1]"}};
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    for (size_t i = 0; i < shapes.size(); ++i) {
      cases.push_back({std::string(op) + std::to_string(i),
                       "g (float" + shapes[i].first + " x, float" + shapes[i].second +
                           " y) => (float z) { z = " + op + "(x, y) }"});
    }
  }
  return cases;
}

std::vector<Case> recurrent() {
  const auto cell = [](const std::string& name, const std::string& op, int gates,
                       const std::string& attributes, int directions,
                       const std::string& more = "") {
    const std::string d = std::to_string(directions);
    const std::string width = std::to_string(gates * 12);
    return Case{
        name, "g (float[7,3,10] x, float[" + d + "," + width + ",10] w, float[" + d + "," + width +
                  ",12] r, float[" + d + "," + std::to_string(gates * 24) + "] b, float[" + d +
                  ",3,12] h) => (float y, float yh) { n = Constant "
                  "<value = float {0.0}> () y, yh = " +
                  op + " <hidden_size = 12" + attributes + "> (x, w, r, b, , h" + more + ") }"};
  };
  return {
      cell("lstm", "LSTM", 4, "", 1),
      cell("lstm_state", "LSTM", 4, "", 1, ", h"),
      cell("lstm_reverse", "LSTM", 4, ", direction = \"reverse\"", 1),
      cell("lstm_both", "LSTM", 4, ", direction = \"bidirectional\"", 2),
      cell("lstm_hard", "LSTM", 4,
           ", activations = [\"HardSigmoid\", \"Tanh\", \"Tanh\"], activation_alpha = [0.2], "
           "activation_beta = [0.5]",
           1),
      cell("lstm_clipped", "LSTM", 4, ", clip = 0.5", 1),
      cell("gru", "GRU", 3, "", 1),
      cell("gru_linear", "GRU", 3, ", linear_before_reset = 1", 1),
      cell("gru_both", "GRU", 3, ", direction = \"bidirectional\", linear_before_reset = 1", 2),
      cell("rnn", "RNN", 1, "", 1),
  };
}

std::vector<Case> rows() {
  const auto softmax = [](const std::string& name, const std::string& attributes, int64_t opset) {
    return Case{"softmax_" + name,
                "g (float[3,4,50] x) => (float y) { y = Softmax " + attributes + " (x) }", opset};
  };
  return {
      softmax("last", "", 17),
      softmax("middle", "<axis = 1>", 17),
      softmax("flattened", "<axis = 1>", 11),
      softmax("first", "<axis = 0>", 17),
      {"softmax_wide_columns", "g (float[2,3,700] x) => (float y) { y = Softmax <axis = 1> (x) }"},
      {"log_softmax", "g (float[3,4,350] x) => (float y) { y = LogSoftmax(x) }"},
      {"log_softmax_middle", "g (float[3,40,5] x) => (float y) { y = LogSoftmax <axis = 1> (x) }"},
      {"log_softmax_flattened",
       "g (float[3,40,5] x) => (float y) { y = LogSoftmax <axis = 1> (x) }", 11},
      {"softmax_in_place",
       "g (float[3,40] x) => (float y) { a = Neg(x) b = Softmax(a) c = LogSoftmax(b) y = Neg(c) }"},
      {"instance_norm",
       "g (float[2,5,7,3] x, float[5] s, float[5] b) => (float y) "
       "{ y = InstanceNormalization(x, s, b) }"},
      {"instance_norm_layout",
       "g (float[2,19,10,10] x, float[35,19,3,3] w, float[35] s) => (float y) "
       "{ c = Conv(x, w) y = InstanceNormalization(c, s, s) }"},
      {"group_norm",
       "g (float[2,12,7,3] x, float[12] s, float[12] b) => (float y) "
       "{ y = GroupNormalization <num_groups = 4> (x, s, b) }",
       21},
      {"group_norm_18",
       "g (float[2,12,7,3] x, float[4] s, float[4] b) => (float y) "
       "{ y = GroupNormalization <num_groups = 4> (x, s, b) }",
       18},
      {"rms_norm", "g (float[3,4,50] x, float[50] s) => (float y) { y = RMSNormalization(x, s) }",
       23},
      {"rms_norm_two_axes",
       "g (float[3,4,50] x, float[4,50] s) => (float y) { y = RMSNormalization <axis = 1> (x, s) }",
       23},
      {"layer_norm",
       "g (float[3,4,50] x, float[50] s, float[50] b) => (float y) "
       "{ y = LayerNormalization(x, s, b) }"},
      {"layer_norm_two_axes",
       "g (float[3,4,50] x, float[4,50] s) => (float y) "
       "{ y = LayerNormalization <axis = 1> (x, s) }"},
      {"identity_chain",
       "g (float[3,4] x) => (float y, float z) "
       "{ a = Identity(x) y = Relu(a) b = Dropout(x) c = Cast <to = 1> (b) "
       "z = Neg(c) }"},
  };
}

// Values stay in a primitive's own layout between these nodes.
std::vector<Case> chains() {
  const std::string head =
      "g (float[2,19,10,10] x, float[35,19,3,3] w, float[35,35,1,1] v, float[1,35,1,1] s, "
      "float[35] t) => (float z) { c = Conv <pads = [1,1,1,1]> (x, w) ";
  return {
      {"relu", head + "z = Relu(c) }"},
      {"leaky", head + "z = LeakyRelu <alpha = 0.2> (c) }"},
      {"clip", head + "l = Constant <value = float {0.0}> () h = Constant <value = float {6.0}> () "
                      "z = Clip(c, l, h) }"},
      {"hard_swish", head + "z = HardSwish(c) }"},
      {"silu", head + "s1 = Sigmoid(c) z = Mul(c, s1) }"},
      {"sigmoid_of_padded", head + "a = Sigmoid(c) z = Conv(a, v) }"},
      {"residual", head + "d = Conv(c, v) e = Add(c, d) z = Relu(e) }"},
      {"residual_of_itself",
       "g (float[1,16,4,4] x, float[16,16,1,1] w) => (float z) "
       "{ a = Relu(x) c = Conv(a, w) z = Add(c, a) }"},
      {"residual_used_later", head + "d = Conv(c, v) e = Add(d, c) z = Mul(e, c) }"},
      {"residual_broadcast", head + "q = Relu(s) d = Conv(c, v) z = Add(d, q) }"},
      {"scaled_channels", head + "z = Mul(c, s) }"},
      {"mean_of_two", head + "d = Conv(c, v) z = Mean(c, d) }"},
      {"mean_with_channels", head + "z = Mean(c, s) }"},
      {"two_layouts", head + "d = Conv(c, v) e = Sub(c, d) f = Transpose <perm = [0,2,3,1]> (e) "
                             "z = Neg(f) }"},
      {"batch_norm", head + "u = Abs(t) z = BatchNormalization(c, t, t, t, u) }"},
      {"pooled", head + "d = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c) "
                        "e = Conv(d, v) z = GlobalAveragePool(e) }"},
      {"concatenated", head + "d = Conv(c, v) e = Concat <axis = 1> (c, d) z = Relu(e) }"},
      {"shared", head + "a = Relu(c) b = Tanh(c) z = Add(a, b) }"},
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Convolution, Accelerated, testing::ValuesIn(convolutions()), case_name);
INSTANTIATE_TEST_SUITE_P(Product, Accelerated, testing::ValuesIn(products()), case_name);
INSTANTIATE_TEST_SUITE_P(Pool, Accelerated, testing::ValuesIn(pools()), case_name);
INSTANTIATE_TEST_SUITE_P(Elementwise, Accelerated, testing::ValuesIn(elementwise()), case_name);
INSTANTIATE_TEST_SUITE_P(Recurrent, Accelerated, testing::ValuesIn(recurrent()), case_name);
INSTANTIATE_TEST_SUITE_P(Rows, Accelerated, testing::ValuesIn(rows()), case_name);
INSTANTIATE_TEST_SUITE_P(Chain, Accelerated, testing::ValuesIn(chains()), case_name);

}  // namespace
}  // namespace fettle
