// Integer execution of QDQ graphs against their literal execution and against QLinear operators.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

using ir::DataType;
using ir::Tensor;

Tensor scalar_of(DataType type, int value) {
  return type == DataType::kInt8 ? Tensor::scalar(static_cast<int8_t>(value))
                                 : Tensor::scalar(static_cast<uint8_t>(value));
}

// Names of types in ONNX text.
std::string text_of(DataType type) {
  return type == DataType::kInt8 ? "int8" : "uint8";
}

// What a quantized operator is tested with.
struct Quantized {
  std::string name;
  DataType x = DataType::kUint8;
  int x_zero = 121;
  DataType w = DataType::kInt8;
  int w_zero = 0;
  bool per_channel = true;
  bool bias = true;
  DataType y = DataType::kUint8;
  int y_zero = 100;
  std::string attributes = "pads = [1,1,1,1]";
  ir::Dims w_dims{10, 6, 3, 3};
  std::string after = "";  // or Relu
  ir::Dims x_dims{2, 6, 9, 11};
};

std::vector<float> weight_scales(const Quantized& q, int64_t channels) {
  std::vector<float> scales;
  for (int64_t c = 0; c < (q.per_channel ? channels : 1); ++c) {
    scales.push_back(0.01f + 0.003f * static_cast<float>(c % 7));
  }
  return scales;
}

constexpr float kXScale = 0.05f;
constexpr float kYScale = 1.7f;

void add_parameters(ir::Graph& g, const Quantized& q, int64_t channels) {
  const std::vector<float> scales = weight_scales(q, channels);
  const auto add = [&](const std::string& name, Tensor t) { g.add_constant(name, std::move(t)); };
  add("sx", Tensor::scalar(kXScale));
  add("zx", scalar_of(q.x, q.x_zero));
  add("sy", Tensor::scalar(kYScale));
  add("zy", scalar_of(q.y, q.y_zero));
  const ir::Dims shape = q.per_channel ? ir::Dims{channels} : ir::Dims{};
  add("sw", Tensor::of<float>(shape, scales));
  Tensor zw(q.w, shape);
  for (int64_t c = 0; c < zw.size(); ++c) {
    zw.mutable_bytes()[c] = static_cast<std::byte>(q.w_zero & 0xff);
  }
  add("zw", zw);
  std::vector<float> bias_scales;
  std::vector<int32_t> bias;
  for (const float s : scales) bias_scales.push_back(kXScale * s);
  for (int64_t c = 0; c < channels; ++c) bias.push_back(static_cast<int32_t>(c * 371 - 900));
  add("sb", Tensor::of<float>(shape, bias_scales));
  add("b", Tensor::of<int32_t>({channels}, bias));
}

// DQ -> Conv [-> Relu] -> Q.
ir::Model qdq_convolution(const Quantized& q, const Tensor& w) {
  ir::Model model =
      test::parse_text_graph("g (" + text_of(q.x) + ir::to_string(q.x_dims) + " x) => (" +
                                 text_of(q.y) + " y) { y = Identity(x) }",
                             17);
  ir::Graph& g = *model.graph;
  add_parameters(g, q, w.dim(0));
  ir::Value& weights = g.add_constant("w", w);
  ir::Node* identity = g.first_node();
  const auto dq = [&](ir::Value* v, const char* scale, const char* zero, const char* out) {
    ir::Node& node = g.add_node("DequantizeLinear",
                                {v, g.find(scale), zero ? g.find(zero) : nullptr}, {out}, identity);
    node.set_attribute(ir::Attribute("axis", 0));
    return node.output(0);
  };
  std::vector<ir::Value*> inputs{dq(g.find("x"), "sx", "zx", "xf"), dq(&weights, "sw", "zw", "wf")};
  if (q.bias) inputs.push_back(dq(g.find("b"), "sb", nullptr, "bf"));
  const ir::Model source = test::parse_text_graph(
      "s (float[1] a, float[1] b) => (float c) { c = Conv <" + q.attributes + "> (a, b) }");
  ir::Node& conv = g.add_node("Conv", inputs, {"c"}, identity);
  for (const ir::Attribute& a : source.graph->first_node()->attributes()) {
    conv.set_attribute(a.copy_without_graphs());
  }
  ir::Value* result = conv.output(0);
  if (!q.after.empty()) result = g.add_node(q.after, {result}, {"r"}, identity).output(0);
  ir::Node& quantize =
      g.add_node("QuantizeLinear", {result, g.find("sy"), g.find("zy")}, {"q"}, identity);
  identity->set_input(0, quantize.output(0));
  return model;
}

// The same as one QLinearConv.
ir::Model qlinear_convolution(const Quantized& q, const Tensor& w) {
  ir::Model model = qdq_convolution(q, w);
  ir::Graph& g = *model.graph;
  std::vector<ir::Value*> inputs;
  for (const char* name : {"x", "sx", "zx", "w", "sw", "zw", "sy", "zy"}) {
    inputs.push_back(g.find(name));
  }
  if (q.bias) inputs.push_back(g.find("b"));
  ir::Node* identity = g.last_node();
  ir::Node& node = g.add_node("QLinearConv", inputs, {"direct"}, identity);
  for (ir::Node& other : g.nodes()) {
    if (!other.is("Conv")) continue;
    for (const ir::Attribute& a : other.attributes()) node.set_attribute(a.copy_without_graphs());
  }
  identity->set_input(0, node.output(0));
  return model;
}

struct NameOf {
  template <typename Case>
  std::string operator()(const testing::TestParamInfo<Case>& at) const {
    return at.param.name;
  }
};

// Fraction of elements that differ, and the largest difference in steps.
struct Difference {
  double fraction = 0;
  double most = 0;
};
Difference difference(const Tensor& a, const Tensor& b) {
  Difference d;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double e = std::abs(ir::element_as_double(a, i) - ir::element_as_double(b, i));
    d.most = std::max(d.most, e);
    d.fraction += e > 0 ? 1.0 / static_cast<double>(a.size()) : 0.0;
  }
  return d;
}

std::vector<Quantized> convolutions() {
  std::vector<Quantized> all(14);
  all[0].name = "unsigned_asymmetric";
  all[1] = {.name = "zero_at_lowest", .y_zero = 0, .after = "Relu"};
  all[2] = {
      .name = "signed_both", .x = DataType::kInt8, .x_zero = -5, .y = DataType::kInt8, .y_zero = 3};
  all[3] = {.name = "signed_symmetric",
            .x = DataType::kInt8,
            .x_zero = 0,
            .y = DataType::kInt8,
            .y_zero = 0};
  all[4] = {.name = "unsigned_weights", .w = DataType::kUint8, .w_zero = 128};
  all[5] = {.name = "uneven_weight_zero", .w = DataType::kUint8, .w_zero = 77};
  all[6] = {.name = "per_tensor", .per_channel = false, .bias = false};
  all[7] = {
      .name = "depthwise", .attributes = "group = 6, pads = [1,0,2,1]", .w_dims = {6, 1, 3, 3}};
  all[8] = {.name = "grouped", .attributes = "group = 2", .w_dims = {8, 3, 3, 3}};
  all[9] = {.name = "strided", .attributes = "strides = [2,3], pads = [0,1,1,0]"};
  all[10] = {.name = "dilated", .attributes = "dilations = [2,2]"};
  all[11] = {.name = "one_by_one", .attributes = "strides = [1,1]", .w_dims = {33, 6, 1, 1}};
  all[12] = {.name = "one_by_one_fused",
             .y_zero = 0,
             .attributes = "strides = [1,1]",
             .w_dims = {33, 6, 1, 1}};
  all[13] = {.name = "relu_with_effect", .y_zero = 100, .after = "Relu"};
  const auto add = [&](const Quantized& q) { all.push_back(q); };
  add({.name = "many_columns", .w_dims = {117, 6, 3, 3}});
  add({.name = "signed_depthwise",
       .x = DataType::kInt8,
       .x_zero = 11,
       .y = DataType::kInt8,
       .y_zero = -7,
       .attributes = "group = 6, pads = [1,1,1,1], strides = [2,1]",
       .w_dims = {6, 1, 3, 3}});
  add({.name = "signed_grouped",
       .x = DataType::kInt8,
       .x_zero = 11,
       .attributes = "group = 3, pads = [2,2,2,2], dilations = [1,2]",
       .w_dims = {21, 2, 3, 3}});
  add({.name = "multiplied_depthwise", .attributes = "group = 6", .w_dims = {12, 1, 2, 2}});
  for (const int64_t channels : {24, 64, 72, 130}) {
    const std::string group = "group = " + std::to_string(channels);
    const std::string name = "depthwise" + std::to_string(channels);
    const ir::Dims x_dims{2, channels, 7, 9};
    add({.name = name,
         .attributes = group + ", pads = [1,1,1,1]",
         .w_dims = {channels, 1, 3, 3},
         .x_dims = x_dims});
    add({.name = name + "_strided",
         .x = DataType::kInt8,
         .x_zero = -11,
         .y = DataType::kInt8,
         .y_zero = -20,
         .attributes = group + ", pads = [2,2,2,2], strides = [2,2]",
         .w_dims = {channels, 1, 5, 5},
         .x_dims = x_dims});
    add({.name = name + "_unpadded",
         .attributes = group + ", dilations = [2,1]",
         .w_dims = {channels, 1, 2, 3},
         .x_dims = x_dims});
  }
  add({.name = "wide_kernel", .attributes = "pads = [0,3,4,2]", .w_dims = {20, 6, 5, 7}});
  add({.name = "same_lower",
       .attributes = "auto_pad = \"SAME_LOWER\", strides = [2,2]",
       .w_dims = {40, 6, 4, 2}});
  return all;
}

class IntegerConvolution : public testing::TestWithParam<Quantized> {};

TEST_P(IntegerConvolution, AgreesWithLiteralAndQLinear) {
  const Quantized& q = GetParam();
  const Tensor w = test::random_bytes(q.w, q.w_dims, 5);
  const ir::Model literal = qdq_convolution(q, w);
  const interp::Feeds feeds = test::random_feeds(literal, 9);
  const Tensor exact = test::run_model(literal, feeds, {.exact = true, .threads = 1})[0].tensor;
  const Tensor fused = test::run_model(literal, feeds, {.exact = false, .threads = 1})[0].tensor;
  const Tensor two = test::run_model(literal, feeds, {.exact = false, .threads = 2})[0].tensor;
  const Difference d = difference(exact, fused);
  EXPECT_LE(d.most, 1.0);
  EXPECT_LE(d.fraction, 1e-3);
  EXPECT_TRUE(identical(fused, two));
  if (q.after.empty()) {
    const ir::Model qlinear = qlinear_convolution(q, w);
    const Tensor reference =
        test::run_model(qlinear, feeds, {.exact = true, .threads = 1})[0].tensor;
    const Tensor direct = test::run_model(qlinear, feeds, {.exact = false, .threads = 1})[0].tensor;
    EXPECT_TRUE(identical(reference, direct)) << "integer arithmetic must be exact";
    EXPECT_TRUE(identical(reference, fused)) << "QDQ and QLinearConv must agree";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, IntegerConvolution, testing::ValuesIn(convolutions()), NameOf());

// A graph in text with 8-bit inputs, fused against literal.
struct Graph {
  std::string name;
  std::string text;
};

class IntegerGraph : public testing::TestWithParam<Graph> {};

TEST_P(IntegerGraph, AgreesWithLiteral) {
  const ir::Model model = test::parse_text_graph(GetParam().text, 17);
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

std::string pooled(const std::string& type, const std::string& attributes) {
  return "g (" + type +
         " a) => (int8 y) { s = Constant <value = float {0.043}> () "
         "z = Constant <value = int8 {-9}> () af = DequantizeLinear(a, s, z) "
         "c = MaxPool <" +
         attributes + "> (af) y = QuantizeLinear(c, s, z) }";
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
      {"add", two + "c = Add(af, bf) y = QuantizeLinear(c, u, zu) }"},
      {"mul", two + "c = Mul(af, bf) y = QuantizeLinear(c, u, zu) }"},
      {"product_quantized",
       product + "uint8" + operands + "c = MatMul(af, bf) y = QuantizeLinear(c, u, zu) }"},
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

// Runs every other test of this file once more with the kernels of other instruction sets.
class OtherCpu : public testing::TestWithParam<const char*> {};

TEST_P(OtherCpu, AgreesToo) {
  if (std::getenv("DNNL_MAX_CPU_ISA") != nullptr) GTEST_SKIP() << "already restricted";
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string command = std::string("DNNL_MAX_CPU_ISA=") + GetParam() + " '" + self +
                              "' --gtest_filter='Cases/Integer*' > /dev/null 2>&1";
  const int status = std::system(command.c_str());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command;
}

INSTANTIATE_TEST_SUITE_P(Limits, OtherCpu, testing::Values("AVX2_VNNI", "AVX2", "SSE41"));

}  // namespace
}  // namespace fettle
