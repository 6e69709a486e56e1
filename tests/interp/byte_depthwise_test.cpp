// Depthwise convolutions of bytes against the reference kernel of QLinearConv, bit for bit.
// integer_test.cpp runs these tests again with the kernels of other instruction sets.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

using ir::DataType;
using ir::Tensor;

struct Depthwise {
  std::string name;
  ir::Dims kernel;
  ir::Dims size;  // of the image
  std::string attributes;
  std::vector<int64_t> channels{2, 8, 17, 24, 40, 64, 88, 130, 200};
};

Tensor byte_of(DataType type, int value) {
  return type == DataType::kInt8 ? Tensor::scalar(static_cast<int8_t>(value))
                                 : Tensor::scalar(static_cast<uint8_t>(value));
}

std::string text_of(DataType type) {
  return type == DataType::kInt8 ? "int8" : "uint8";
}

// Two samples; every channel has its own scale and bias.
ir::Model qlinear_model(const Depthwise& d, int64_t channels, DataType type) {
  ir::Dims x{2, channels};
  x.insert(x.end(), d.size.begin(), d.size.end());
  ir::Dims w{channels, 1};
  w.insert(w.end(), d.kernel.begin(), d.kernel.end());
  const std::string name = text_of(type);
  ir::Model model = test::parse_text_graph(
      "g (" + name + ir::to_string(x) + " x) => (" + name + " y) { y = Identity(x) }", 17);
  ir::Graph& g = *model.graph;
  std::vector<float> scales;
  std::vector<int32_t> bias;
  for (int64_t c = 0; c < channels; ++c) {
    scales.push_back(0.01f + 0.003f * static_cast<float>(c % 7));
    bias.push_back(static_cast<int32_t>(c % 50 * 371 - 9000));
  }
  const int sign = type == DataType::kInt8 ? -1 : 1;
  const std::vector<ir::Value*> inputs{
      g.find("x"),
      &g.add_constant("sx", Tensor::scalar(0.05f)),
      &g.add_constant("zx", byte_of(type, sign * 77)),
      &g.add_constant("w", test::random_bytes(DataType::kInt8, w, 5)),
      &g.add_constant("sw", Tensor::of<float>({channels}, scales)),
      &g.add_constant("zw", Tensor(DataType::kInt8, {channels})),
      &g.add_constant("sy", Tensor::scalar(1.1f)),
      &g.add_constant("zy", byte_of(type, sign * 30)),
      &g.add_constant("b", Tensor::of<int32_t>({channels}, bias))};
  ir::Node* identity = g.first_node();
  ir::Node& node = g.add_node("QLinearConv", inputs, {"direct"}, identity);
  const ir::Model source = test::parse_text_graph(
      "s (float[1] a, float[1] b) => (float c) { c = Conv <group = " + std::to_string(channels) +
      d.attributes + "> (a, b) }");
  for (const ir::Attribute& a : source.graph->first_node()->attributes()) {
    node.set_attribute(a.copy_without_graphs());
  }
  identity->set_input(0, node.output(0));
  return model;
}

class IntegerDepthwise : public testing::TestWithParam<Depthwise> {};

TEST_P(IntegerDepthwise, EqualsReference) {
  for (const int64_t channels : GetParam().channels) {
    for (const DataType type : {DataType::kUint8, DataType::kInt8}) {
      SCOPED_TRACE(std::to_string(channels) + " channels, " + text_of(type));
      const ir::Model model = qlinear_model(GetParam(), channels, type);
      const interp::Feeds feeds = test::random_feeds(model, 9);
      const auto run = [&](bool exact, int threads) {
        return test::run_model(model, feeds, {.exact = exact, .threads = threads})[0].tensor;
      };
      const Tensor reference = run(true, 1);
      EXPECT_TRUE(identical(reference, run(false, 1)));
      EXPECT_TRUE(identical(reference, run(false, 3)));
    }
  }
}

std::vector<Depthwise> windows() {
  std::vector<Depthwise> all;
  const std::vector<ir::Dims> kernels{{1, 3}, {1, 7}, {3, 1}, {2, 2}, {3, 3},
                                      {3, 5}, {4, 4}, {5, 5}, {6, 2}, {7, 7}};
  for (const ir::Dims& kernel : kernels) {
    for (const char* strides : {"1,1", "2,2", "1,2", "2,1", "3,3"}) {
      Depthwise d;
      d.name = "k" + std::to_string(kernel[0]) + "x" + std::to_string(kernel[1]) + "_s" +
               strides[0] + strides[2];
      d.kernel = kernel;
      d.size = {9, 11};
      d.attributes = std::string(", pads = [2,1,3,2], strides = [") + strides + "]";
      all.push_back(d);
    }
  }
  all.push_back({"unpadded", {3, 3}, {5, 13}, ""});
  all.push_back({"few_rows", {5, 5}, {2, 30}, ", pads = [2,2,2,2]"});
  all.push_back({"few_columns", {5, 5}, {9, 1}, ", pads = [2,2,2,2]"});
  all.push_back({"all_padding_at_the_edges", {2, 2}, {3, 3}, ", pads = [5,6,7,8]"});
  all.push_back({"dilated", {3, 3}, {12, 14}, ", pads = [1,2,3,2], dilations = [2,3]"});
  all.push_back({"dilated_stride",
                 {3, 4},
                 {12, 17},
                 ", pads = [1,2,1,2], dilations = [3,2], strides = [2,3]"});
  all.push_back({"long_rows", {3, 3}, {4, 450}, ", pads = [1,1,1,1]"});
  all.push_back({"long_rows_stride", {5, 5}, {6, 450}, ", pads = [2,2,2,2], strides = [2,2]"});
  all.push_back({"many_channels", {5, 5}, {7, 7}, ", pads = [2,2,2,2]", {1000}});
  all.push_back({"one_axis", {9}, {40}, ", pads = [4,4]"});
  all.push_back({"one_axis_stride", {5}, {40}, ", pads = [1,3], strides = [2]"});
  all.push_back({"one_axis_stride3", {5}, {40}, ", pads = [1,3], strides = [3], dilations = [2]"});
  all.push_back({"three_axes", {3, 2, 3}, {5, 6, 7}, ", pads = [1,0,1,0,1,2], strides = [2,1,1]"});
  all.push_back({"depth_only", {3, 1, 1}, {5, 4, 3}, ", pads = [1,0,0,1,0,0]"});
  return all;
}

struct NameOf {
  template <typename Case>
  std::string operator()(const testing::TestParamInfo<Case>& at) const {
    return at.param.name;
  }
};

INSTANTIATE_TEST_SUITE_P(Cases, IntegerDepthwise, testing::ValuesIn(windows()), NameOf());

}  // namespace
}  // namespace fettle
