// Quantized convolutions against their literal execution and against QLinearConv.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "interp/integer_compare.h"
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
  for (const int64_t columns : {8, 16, 24, 32}) {
    add({.name = "narrow" + std::to_string(columns),
         .y = columns == 24 ? DataType::kInt8 : DataType::kUint8,
         .y_zero = 20,
         .w_dims = {columns, 5, 3, 3},
         .x_dims = {1, 5, 57, 61}});
  }
  add({.name = "deep", .w_dims = {40, 37, 3, 3}, .x_dims = {1, 37, 9, 11}});
  add({.name = "signed_deep",
       .x = DataType::kInt8,
       .x_zero = 7,
       .y = DataType::kInt8,
       .y_zero = -3,
       .w_dims = {21, 61, 3, 3},
       .x_dims = {2, 61, 7, 5}});
  for (const ir::Dims& x_dims : {ir::Dims{1, 301, 5, 7}, {1, 301, 1, 1}, {1, 301, 1, 2}}) {
    for (const int64_t columns : {24, 150}) {
      add({.name = "deep" + std::to_string(x_dims[2] * x_dims[3]) + "x" + std::to_string(columns),
           .x = columns == 24 ? DataType::kUint8 : DataType::kInt8,
           .x_zero = 17,
           .attributes = "strides = [1,1]",
           .w_dims = {columns, 301, 1, 1},
           .x_dims = x_dims});
    }
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

// Runs every integer test once more with the kernels of other instruction sets.
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
