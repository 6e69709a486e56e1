// What static mode writes.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ir/error.h"
#include "ir/verify.h"
#include "quant_support.h"

namespace fettle::quant {
namespace {

using test::network;
using test::operators;
using test::random_feeds;
using test::run;
using test::signature;
using test::sqnr;

// Quantizes, checks what holds for every result, and returns it.
ir::Model quantized(const ir::Model& model, double at_least_db, PlanOptions options = {}) {
  options.mode = Mode::kStatic;
  const calib::CalibrationTable table = test::ranges(model);
  const Plan plan = make_plan(model, &table, options);
  ir::Model result = ir::clone(model);
  apply_plan(result, plan);
  ir::verify(result);
  EXPECT_EQ(signature(result), signature(model));
  const interp::Feeds feeds = random_feeds(model, 8);
  EXPECT_GT(sqnr(run(model, feeds), run(result, feeds)), at_least_db);
  return result;
}

const ir::Node* producer(const ir::Value* v) {
  return v != nullptr ? v->producer() : nullptr;
}

TEST(ApplyStatic, WritesQdqInTheRuntimesForm) {
  const ir::Model model = network(R"(g (float[1,3,8,8] x, float[4,3,3,3] w_1, float[4] b_1,
      float[2,4,3,3] w_2) => (float[1,2,4,4] y) {
      c = Conv(x, w_1, b_1)
      r = Relu(c)
      y = Conv(r, w_2) })");
  const ir::Model q = quantized(model, 30);
  const auto ops = operators(q);
  EXPECT_FALSE(ops.contains("Relu"));
  EXPECT_EQ(ops.at("QuantizeLinear"), 3);
  EXPECT_EQ(ops.at("DequantizeLinear"), 3 + 3);
  const ir::Graph& g = *q.graph;
  // Names as ONNX Runtime's quantizer writes them.
  EXPECT_NE(g.find("w_1_quantized"), nullptr);
  EXPECT_EQ(g.find("w_1_quantized")->constant()->type(), ir::DataType::kInt8);
  EXPECT_EQ(g.find("b_1_quantized")->constant()->type(), ir::DataType::kInt32);
  EXPECT_NE(g.find("b_1_quantized_scale"), nullptr);
  EXPECT_NE(g.find("x_QuantizeLinear_Output"), nullptr);
  EXPECT_NE(g.find("y_QuantizeLinear_Input"), nullptr);
  // Float originals are gone; scales and zero points are rank 0, per channel rank 1.
  EXPECT_EQ(g.find("w_1"), nullptr);
  EXPECT_EQ(g.find("x_scale")->constant()->rank(), 0u);
  EXPECT_EQ(g.find("x_zero_point")->constant()->rank(), 0u);
  EXPECT_EQ(g.find("w_1_scale")->constant()->dims(), (ir::Dims{4}));
  EXPECT_EQ(g.find("w_1_zero_point")->constant()->dims(), (ir::Dims{4}));
  for (const ir::Node& node : g.nodes()) {
    if (node.is("QuantizeLinear") || node.is("DequantizeLinear")) {
      EXPECT_EQ(node.inputs().size(), 3u);
    }
    if (node.is("Conv")) {
      ASSERT_EQ(node.output(0)->uses().size(), 1u);
      EXPECT_TRUE(node.output(0)->uses()[0].node->is("QuantizeLinear"));
      for (const ir::Value* v : node.inputs()) EXPECT_TRUE(producer(v)->is("DequantizeLinear"));
    }
  }
}

TEST(ApplyStatic, AllReadersOfAnIntegerResultTakeItDequantized) {
  const ir::Model q = quantized(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1)
      => (float[1,3,4,4] y, float[1,3,4,4] t) {
      c = Conv(x, w_1)
      t = Tanh(c)
      y = Conv(c, w_1) })"),
                                25);
  const ir::Value* c = q.graph->find("c");
  ASSERT_EQ(c->uses().size(), 1u);
  EXPECT_TRUE(c->uses()[0].node->is("QuantizeLinear"));
}

TEST(ApplyStatic, FloatReadersOfFloatDataKeepTheOriginal) {
  const ir::Model q = quantized(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1)
      => (float[1,3,4,4] y, float[1,3,4,4] t) { t = Tanh(x) y = Conv(x, w_1) })"),
                                25);
  EXPECT_EQ(q.graph->find("t")->producer()->input(0)->name(), "x");
}

TEST(ApplyStatic, ResidualBlockAndClassifier) {
  const ir::Model q = quantized(network(R"(g (float[1,3,8,8] x, float[8,3,3,3] w_0, float[8] b_0,
      float[8,8,3,3] w_1, float[8,8,3,3] w_2, float[8,40] w_3, float[40] b_3) => (float[1,40] y) {
      c0 = Conv<pads = [1, 1, 1, 1]>(x, w_0, b_0)
      r0 = Relu(c0)
      c1 = Conv<pads = [1, 1, 1, 1]>(r0, w_1)
      r1 = Relu(c1)
      c2 = Conv<pads = [1, 1, 1, 1]>(r1, w_2)
      s = Add(c2, r0)
      r2 = Relu(s)
      p = GlobalAveragePool(r2)
      f = Flatten(p)
      y = Gemm(f, w_3, b_3) })"),
                                25);
  const auto ops = operators(q);
  EXPECT_FALSE(ops.contains("Relu"));
  EXPECT_EQ(ops.at("Gemm"), 1);
  EXPECT_TRUE(q.graph->find("y")->producer()->is("Gemm"));
  // Equal parameters on both sides of the Flatten.
  const ir::Node& flatten = *q.graph->find("f")->producer();
  const ir::Node& before = *flatten.input(0)->producer();
  const ir::Node& after = *flatten.output(0)->uses()[0].node;
  EXPECT_TRUE(ir::identical(*before.input(1)->constant(), *after.input(1)->constant()));
  EXPECT_TRUE(ir::identical(*before.input(2)->constant(), *after.input(2)->constant()));
}

TEST(ApplyStatic, SharedWeightsAndBiases) {
  const ir::Model q = quantized(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1, float[3] b_1)
      => (float[1,3,4,4] y) { c = Conv(x, w_1, b_1) y = Conv(c, w_1, b_1) })"),
                                20);
  int int8 = 0;
  int int32 = 0;
  for (const ir::Value* v : q.graph->constants()) {
    int8 += v->constant()->type() == ir::DataType::kInt8 && v->constant()->rank() == 4 ? 1 : 0;
    int32 += v->constant()->type() == ir::DataType::kInt32 &&
             v->name().find("zero") == std::string::npos;
  }
  EXPECT_EQ(int8, 1);
  EXPECT_EQ(int32, 2);
  // Runtimes refuse two nodes of one name.
  std::set<std::string> names;
  for (const ir::Node& node : q.graph->nodes()) {
    EXPECT_TRUE(node.name.empty() || names.insert(node.name).second) << node.name;
  }
}

TEST(ApplyStatic, WeightThatFloatCodeReadsTooIsKept) {
  const ir::Model q = quantized(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1)
      => (float[1,3,4,4] y, float[3,3,1,1] z) { y = Conv(x, w_1) z = Tanh(w_1) })"),
                                25);
  EXPECT_NE(q.graph->find("w_1"), nullptr);
  EXPECT_NE(q.graph->find("w_1_quantized"), nullptr);
}

TEST(ApplyStatic, GemmFactorsAreFoldedIntoItsConstants) {
  const ir::Model q = quantized(network(R"(g (float[2,32] x, float[20,32] w_1, float[1,20] b_1)
      => (float[2,20] y) { y = Gemm<transB = 1, alpha = 0.5, beta = 2.0>(x, w_1, b_1) })"),
                                30);
  const ir::Node& gemm = *q.graph->find("y")->producer();
  EXPECT_EQ(gemm.attr_float("alpha", 1), 1);
  EXPECT_EQ(gemm.attr_float("beta", 1), 1);
  EXPECT_EQ(gemm.input(2)->producer()->input(0)->constant()->type(), ir::DataType::kInt32);
}

TEST(ApplyStatic, ScalarBiasOfAGemm) {
  quantized(network("g (float[2,32] x, float[32,20] w_1, float[1] b_1) => (float[2,20] y) "
                    "{ y = Gemm(x, w_1, b_1) }"),
            30);
}

TEST(ApplyStatic, BatchedProductWithBias) {
  const ir::Model q = quantized(network(R"(g (float[2,3,32] x, float[32,20] w_1, float[20] b_1)
      => (float[2,3,20] y) { m = MatMul(x, w_1) y = Add(b_1, m) })"),
                                30);
  const ir::Node& add = *q.graph->find("y")->producer();
  EXPECT_TRUE(add.is("Add"));
  EXPECT_EQ(add.input(0)->producer()->input(0)->constant()->type(), ir::DataType::kInt32);
}

TEST(ApplyStatic, ReadersInSubgraphsSeeTheDequantizedValue) {
  const ir::Model q = quantized(network(R"(g (float[1,3,4,4] x, bool c, float[3,3,1,1] w_1)
      => (float[1,3,4,4] y) {
      a = Conv(x, w_1)
      y = If (c) <then_branch = t () => (float[1,3,4,4] o) { o = Tanh(a) },
                  else_branch = e () => (float[1,3,4,4] p) { p = Abs(a) }>
      })"),
                                25);
  EXPECT_EQ(q.graph->find("a")->uses().size(), 1u);
  EXPECT_TRUE(q.graph->find("a")->uses()[0].node->is("QuantizeLinear"));
}

TEST(ApplyStatic, ReducedRangeKeepsWeightsWithin64) {
  PlanOptions options;
  options.reduce_range = true;
  const ir::Model q = quantized(
      network(
          "g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y) { y = Conv(x, w_1) }"),
      25, options);
  for (const int8_t code : q.graph->find("w_1_quantized")->constant()->data<int8_t>()) {
    EXPECT_LE(std::abs(int{code}), 64);
  }
}

TEST(ApplyStatic, AnEditedPlanIsFollowed) {
  const ir::Model model = network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1, float[3,3,1,1] w_2)
      => (float[1,3,4,4] y) { c = Conv(x, w_1) y = Conv(c, w_2) })");
  Plan plan = test::static_plan(model);
  for (NodePlan& node : plan.nodes) {
    if (node.node == "y") node.decision = "float";
  }
  ir::Model result = ir::clone(model);
  apply_plan(result, plan);
  EXPECT_NE(result.graph->find("w_2"), nullptr);
  EXPECT_EQ(result.graph->find("w_1"), nullptr);
  EXPECT_TRUE(result.graph->find("y")->producer()->is("Conv"));
}

TEST(ApplyPlan, RejectsAPlanOfAnotherModel) {
  const ir::Model model = network(
      "g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y) { y = Conv(x, w_1) }");
  const Plan good = test::static_plan(model);
  const auto expect_rejected = [&](const Plan& plan) {
    ir::Model target = ir::clone(model);
    try {
      apply_plan(target, plan);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    }
  };
  Plan node = good;
  node.nodes[0].node = "other";
  expect_rejected(node);
  Plan type = good;
  type.nodes[0].op_type = "Gemm";
  expect_rejected(type);
  Plan activation = good;
  activation.activations["nothing"] = good.activations.at("x");
  expect_rejected(activation);
  Plan weight = good;
  weight.weights["nothing"] = good.weights.at("w_1");
  expect_rejected(weight);
  Plan axis = good;
  axis.weights["w_1"].axis = 9;
  expect_rejected(axis);
  Plan per_channel = good;
  per_channel.activations["x"].axis = 1;
  expect_rejected(per_channel);
}

}  // namespace
}  // namespace fettle::quant
