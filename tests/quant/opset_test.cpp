// Raised models compute what they computed before.
#include "quant/opset_upgrade.h"

#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/verify.h"
#include "quant/prepare.h"
#include "quant_support.h"

namespace fettle::quant {
namespace {

using test::network;
using test::operators;

// The graph at `from`, raised to `to`; outputs on random feeds must be bit-identical.
ir::Model raised(const std::string& graph, int64_t from, int64_t to = 13) {
  const ir::Model model = network(graph, from);
  ir::Model result = ir::clone(model);
  upgrade_opset(result, to);
  ir::verify(result);
  EXPECT_EQ(result.opset(), to);
  EXPECT_EQ(test::signature(result), test::signature(model));
  const interp::Feeds feeds = test::random_feeds(model, 3);
  const auto before = test::run(model, feeds);
  const auto after = test::run(result, feeds);
  EXPECT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size() && i < after.size(); ++i) {
    EXPECT_TRUE(ir::identical(before[i], after[i])) << graph;
  }
  return result;
}

TEST(UpgradeOpset, SqueezeAndUnsqueezeTakeAxesAsOperand) {
  const ir::Model m = raised(R"(g (float[2,1,3] x) => (float[2,3,1] y) {
      s = Squeeze<axes = [1]>(x) y = Unsqueeze<axes = [2]>(s) })",
                             11);
  for (const ir::Node& node : m.graph->nodes()) {
    EXPECT_FALSE(node.has_attribute("axes"));
    EXPECT_NE(node.input(1), nullptr);
  }
  raised("g (float[1,2,1] x) => (float[2] y) { y = Squeeze(x) }", 11);
}

TEST(UpgradeOpset, ReduceSumAndSplit) {
  raised("g (float[2,3,4] x) => (float[2,1,4] y) { y = ReduceSum<axes = [1]>(x) }", 11);
  raised("g (float[2,3] x) => (float[1,1] y) { y = ReduceSum(x) }", 11);
  raised(
      "g (float[2,6] x) => (float[2,2] a, float[2,4] b) "
      "{ a, b = Split<axis = 1, split = [2, 4]>(x) }",
      11);
  raised("g (float[2,6] x) => (float[2,3] a, float[2,3] b) { a, b = Split<axis = 1>(x) }", 11);
}

TEST(UpgradeOpset, SliceAndTopK) {
  raised("g (float[4,6] x) => (float[2,6] y) { y = Slice<starts = [1], ends = [3]>(x) }", 9);
  raised(
      "g (float[4,6] x) => (float[4,2] y) "
      "{ y = Slice<axes = [1], starts = [-3], ends = [-1]>(x) }",
      9);
  raised("g (float[4,6] x) => (float[4,2] y, int64[4,2] i) { y, i = TopK<k = 2, axis = 1>(x) }", 9);
}

TEST(UpgradeOpset, ClipPadAndDropout) {
  raised("g (float[4] x) => (float[4] y) { y = Clip<min = -0.25, max = 0.5>(x) }", 7);
  const ir::Model open = raised("g (float[4] x) => (float[4] y) { y = Clip<min = 0.1>(x) }", 7);
  EXPECT_EQ(open.graph->first_node()->input(2), nullptr);
  raised("g (float[2,3] x) => (float[2,6] y) { y = Pad<pads = [0, 1, 0, 2], value = 0.5>(x) }", 8);
  raised(
      "g (float[2,3] x) => (float[2,5] y) { y = Pad<mode = \"reflect\", pads = [0, 1, 0, 1]>(x) }",
      8);
  raised("g (float[4] x) => (float[4] y) { y = Dropout<ratio = 0.3>(x) }", 7);
}

TEST(UpgradeOpset, UpsampleBecomesResizeWithItsOldCoordinates) {
  const ir::Model m = raised(R"(g (float[1,1,3,3] x) => (float[1,1,6,7] y) {
      y = Upsample<mode = "nearest", scales = [1.0, 1.0, 2.0, 2.4]>(x) })",
                             7);
  const ir::Node& resize = *m.graph->find("y")->producer();
  EXPECT_EQ(resize.op_type, "Resize");
  EXPECT_EQ(resize.attr_string("coordinate_transformation_mode", ""), "asymmetric");
  EXPECT_EQ(resize.attr_string("nearest_mode", ""), "floor");
  raised(R"(g (float[1,1,3,3] x) => (float[1,1,6,6] y) <float[4] s = {1, 1, 2, 2}>
      { y = Upsample<mode = "nearest">(x, s) })",
         9);
  raised(R"(g (float[1,1,3,3] x) => (float[1,1,6,6] y) <float[4] s = {1, 1, 2, 2}>
      { y = Resize<mode = "linear">(x, s) })",
         10);
  raised(R"(g (float[1,1,4,4] x) => (float[1,1,2,2] y) <float[4] s = {1, 1, 0.5, 0.5}>
      { y = Resize<mode = "nearest">(x, s) })",
         10);
}

TEST(UpgradeOpset, NearestOfOpset10RoundsByTheDirectionOfItsScales) {
  raised(R"(g (float[1,1,9,9] x) => (float[1,1,6,6] y) <float[4] s = {1, 1, 0.7, 0.7}>
      { y = Resize<mode = "nearest">(x, s) })",
         10);
  raised(R"(g (float[1,1,5,5] x) => (float[1,1,8,5] y) <float[4] s = {1, 1, 1.7, 1}>
      { y = Resize<mode = "nearest">(x, s) })",
         10);
}

TEST(UpgradeOpset, FlatteningSoftmaxIsMadeExplicitOnlyWhereItMatters) {
  const ir::Model flat = raised("g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }", 11);
  EXPECT_EQ(operators(flat).at("Reshape"), 1);
  EXPECT_EQ(operators(flat).at("Flatten"), 1);
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax"}) {
    raised(std::string("g (float[2,3,4] x) => (float[2,3,4] y) { y = ") + op + "<axis = 1>(x) }",
           11);
  }
  const ir::Model last =
      raised("g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax<axis = 2>(x) }", 11);
  EXPECT_EQ(last.graph->node_count(), 1u);
  const ir::Model ones =
      raised("g (float[2,3,1,1] x) => (float[2,3,1,1] y) { y = Softmax(x) }", 11);
  EXPECT_EQ(ones.graph->node_count(), 1u);
  EXPECT_EQ(ones.graph->first_node()->attr_int("axis", 0), 1);
  raised(
      "g (float[2,3,4] x) => (float[2,3,4] y, float[2,3,4] z) { y = Softmax<axis = 0>(x) z = "
      "Neg(y) }",
      9);
}

TEST(UpgradeOpset, BatchNormalizationLosesWhatInferenceDoesNotUse) {
  const ir::Model m = raised(R"(g (float[1,2,3] x, float[2] w_s, float[2] b_b, float[2] b_m)
      => (float[1,2,3] y) <float[2] v = {1, 2}> {
      y = BatchNormalization<spatial = 1>(x, w_s, b_b, b_m, v) })",
                             7, 14);
  EXPECT_FALSE(m.graph->first_node()->has_attribute("spatial"));
}

TEST(UpgradeOpset, SubgraphsAreRaisedToo) {
  const ir::Model m = raised(R"(g (float[2,1,3] x, bool c) => (float[2,3] y) {
      y = If (c) <then_branch = t () => (float[2,3] a) { a = Squeeze<axes = [1]>(x) },
                  else_branch = e () => (float[2,3] b) { n = Neg(x) b = Squeeze<axes = [1]>(n) }>
      })",
                             11);
  const ir::Graph& branch = *m.graph->first_node()->attr_graph("then_branch");
  EXPECT_NE(branch.first_node()->input(1), nullptr);
}

TEST(UpgradeOpset, UnchangedOperatorsPassAllBoundaries) {
  raised(R"(g (float[1,3,8,8] x, float[4,3,3,3] w_1, float[4] b_1) => (float[1,4,3,3] y) {
      c = Conv(x, w_1, b_1) r = Relu(c) y = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(r) })",
         7, 17);
}

TEST(UpgradeOpset, RefusesWhatHasNoEquivalentAndNamesTheNode) {
  const auto expect_unsupported = [](const std::string& graph, int64_t from,
                                     const std::string& name) {
    ir::Model model = network(graph, from);
    try {
      upgrade_opset(model, 13);
      ADD_FAILURE() << graph;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  };
  expect_unsupported(R"(g (float[1,2,3] x, float[2,3] w_s, float[2,3] b_b, float[2,3] b_m,
      float[2,3] b_v) => (float[1,2,3] norm) {
      norm = BatchNormalization<spatial = 0>(x, w_s, b_b, b_m, b_v) })",
                     7, "norm");
  expect_unsupported("g (float[2] x) => (float[2] aff) { aff = Affine<alpha = 1.0>(x) }", 7, "aff");
  expect_unsupported("g (float[2] x) => (float[2] y, float[2] mask) { y, mask = Dropout(x) }", 7,
                     "y");
  expect_unsupported("g (float[2] x) => (float[2] y) { y = Relu(x) }", 6, "6");
  expect_unsupported(R"(g (float[1,1,4,4] x) => (float[1,1,2,8] sized)
      <float[4] s = {1, 1, 0.5, 2}> { sized = Resize<mode = "nearest">(x, s) })",
                     10, "sized");
  expect_unsupported(R"(g (float[1,1,4,4] x, float[4] s) => (float[1,1,A,B] sized)
      { sized = Resize<mode = "nearest">(x, s) })",
                     10, "sized");
}

TEST(UpgradeOpset, LeavesNewerModelsAlone) {
  ir::Model model = network("g (float[2] x) => (float[2] y) { y = Relu(x) }", 17);
  upgrade_opset(model, 13);
  EXPECT_EQ(model.opset(), 17);
}

TEST(Prepare, InitializersThatAreInputsBecomeConstants) {
  ir::Model model =
      network("g (float[2,4] x, float[4,3] k) => (float[2,3] y) { y = MatMul(x, k) }", 11);
  ir::Value& k = *model.graph->find("k");
  model.graph->set_initializer(
      k, {ir::Tensor::of<float>({4, 3}, std::vector<float>(12, 0.5f)), {}, {}});
  model.ir_version = 3;
  prepare(model);
  ir::verify(model);
  EXPECT_EQ(model.graph->inputs().size(), 1u);
  ASSERT_NE(model.graph->find("k"), nullptr);
  EXPECT_TRUE(model.graph->find("k")->is_constant());
  EXPECT_GE(model.ir_version, 7);
}

TEST(Prepare, IsIdempotent) {
  const std::string graph = R"(g (float[2,4] x, float[4,3] w_1, float[3] b_1) => (float[2,3] y) {
      y = Gemm<alpha = 2.0, beta = 0.5>(x, w_1, b_1) })";
  ir::Model once = network(graph, 11);
  const interp::Feeds feeds = test::random_feeds(once, 5);
  const auto before = test::run(once, feeds);
  prepare(once);
  const size_t nodes = once.graph->node_count();
  const size_t constants = once.graph->constants().size();
  prepare(once);
  EXPECT_EQ(once.graph->node_count(), nodes);
  EXPECT_EQ(once.graph->constants().size(), constants);
  EXPECT_GT(test::sqnr(before, test::run(once, feeds)), 120);
}

}  // namespace
}  // namespace fettle::quant
