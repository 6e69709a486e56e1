// What static mode decides, one emission rule of the CPU runtime per test.
#include <gtest/gtest.h>

#include "ir/error.h"
#include "quant/params.h"
#include "quant/placement.h"
#include "quant_support.h"
#include "support/text_model.h"

namespace fettle::quant {
namespace {

using test::decision;
using test::entry;
using test::network;
using test::static_plan;

TEST(Placement, RowsAreUniqueAndComplete) {
  std::string last;
  for (const Placement& row : all_placements()) {
    EXPECT_LT(last, row.op);
    last = row.op;
    EXPECT_TRUE(row.role != Role::kFloat || !row.note.empty()) << row.op;
    EXPECT_TRUE(row.role != Role::kWeighted || row.channel_axis != nullptr) << row.op;
  }
}

TEST(Placement, ReluAfterConvGivesTheRangeAndGoes) {
  const ir::Model model = network(R"(g (float[1,3,8,8] x, float[4,3,3,3] w_1, float[4] b_1,
      float[2,4,3,3] w_2) => (float[1,2,4,4] y) {
      c = Conv(x, w_1, b_1)
      r = Relu(c)
      y = Conv(r, w_2) })");
  const Plan plan = static_plan(model);
  EXPECT_EQ(decision(plan, "c"), "quantize");
  EXPECT_EQ(decision(plan, "r"), "quantize");
  EXPECT_FALSE(plan.activations.contains("c"));
  EXPECT_EQ(plan.activations.at("r").zero_point[0], 0);
  EXPECT_EQ(plan.activations.at("r").type, ir::DataType::kUint8);
  EXPECT_TRUE(plan.activations.contains("x"));
  EXPECT_TRUE(plan.activations.contains("y"));
  EXPECT_EQ(plan.weights.at("w_1").axis, 0);
  EXPECT_EQ(plan.weights.at("w_1").scale.size(), 4u);
  const QuantParams& bias = plan.biases.at("b_1");
  EXPECT_EQ(bias.type, ir::DataType::kInt32);
  for (size_t c = 0; c < 4; ++c) {
    EXPECT_FLOAT_EQ(bias.scale[c],
                    plan.weights.at("w_1").scale[c] * plan.activations.at("x").scale[0]);
  }
}

TEST(Placement, PerTensorWeights) {
  PlanOptions options;
  options.per_channel = false;
  const Plan plan = static_plan(
      network("g (float[1,3,8,8] x, float[4,3,3,3] w_1, float[4] b_1) => (float[1,4,6,6] y) "
              "{ y = Conv(x, w_1, b_1) }"),
      options);
  EXPECT_EQ(plan.weights.at("w_1").axis, -1);
  EXPECT_EQ(plan.biases.at("b_1").scale.size(), 1u);
}

TEST(Placement, ReluOfAConvThatOthersReadStaysFloat) {
  const Plan plan = static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1,
      float[3,3,1,1] w_2) => (float[1,3,4,4] y) {
      c = Conv(x, w_1)
      r = Relu(c)
      d = Conv(r, w_2)
      s = Add(c, d)
      y = Conv(s, w_2) })"));
  EXPECT_EQ(decision(plan, "r"), "float");
  EXPECT_TRUE(plan.activations.contains("c"));
  EXPECT_TRUE(plan.activations.contains("r"));
  EXPECT_EQ(decision(plan, "s"), "quantize");
}

TEST(Placement, ClipIsAbsorbedWhenZeroLiesWithinItsBounds) {
  const std::string graph = R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y)
      <float low = {LOW}, float high = {6.0}> { c = Conv(x, w_1) r = Clip(c, low, high)
      y = Conv(r, w_1) })";
  const auto with = [&](const std::string& low) {
    std::string text = graph;
    return static_plan(network(text.replace(text.find("LOW"), 3, low)));
  };
  EXPECT_EQ(decision(with("0.0"), "r"), "quantize");
  const Plan plan = with("0.5");
  EXPECT_EQ(decision(plan, "r"), "float");
  EXPECT_TRUE(plan.activations.contains("c"));
}

TEST(Placement, OtherActivationsLeaveTheConvItsOwnPair) {
  const Plan plan = static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1)
      => (float[1,3,4,4] y) { c = Conv(x, w_1) h = HardSwish(c) y = Conv(h, w_1) })",
                                        14));
  EXPECT_EQ(decision(plan, "h"), "float");
  EXPECT_TRUE(plan.activations.contains("c"));
  EXPECT_TRUE(plan.activations.contains("h"));
}

TEST(Placement, SiluIsTwoIntegerOperatorsWithTheNaturalSigmoidScale) {
  const Plan plan = static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1)
      => (float[1,3,4,4] y) { c = Conv(x, w_1) s = Sigmoid(c) m = Mul(c, s) y = Conv(m, w_1) })"));
  EXPECT_EQ(decision(plan, "s"), "quantize");
  EXPECT_EQ(decision(plan, "m"), "quantize");
  EXPECT_EQ(plan.activations.at("s"), unit_interval_params());
}

TEST(Placement, NoCodesWhereEveryReaderIsFlat) {
  const auto planned = [](const std::string& tail) {
    const ir::Model model = network(
        "g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y) { "
        "c = Conv(x, w_1) " +
            tail + " }",
        14);
    calib::CalibrationTable table = test::ranges(model);
    table.tensors.at("c") = {-40.0f, 20.0f, 1};
    const QuantParams p = make_plan(model, &table, {}).activations.at("c");
    return -p.zero_point[0] * static_cast<double>(p.scale[0]);
  };
  EXPECT_NEAR(planned("s = Sigmoid(c) m = Mul(c, s) y = Conv(m, w_1)"), -8.1, 0.2);
  EXPECT_NEAR(planned("h = HardSwish(c) y = Conv(h, w_1)"), -3.1, 0.15);
  EXPECT_LE(planned("h = HardSwish(c) y = Conv(h, w_1)"), -3.0);
  // Another reader sees the whole range.
  EXPECT_NEAR(planned("s = Sigmoid(c) m = Mul(c, s) a = Add(m, c) y = Conv(a, w_1)"), -40, 0.2);
  EXPECT_NEAR(planned("s = Neg(c) y = Conv(s, w_1)"), -40, 0.2);
}

TEST(Placement, MoversShareTheirSourcesParameters) {
  const Plan plan = static_plan(network(R"(g (float[1,3,8,8] x, float[4,3,1,1] w_1,
      float[64,20] w_2, float[20] b_2) => (float[1,20] y) {
      c = Conv(x, w_1)
      r = Relu(c)
      p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
      f = Flatten(p)
      y = Gemm(f, w_2, b_2) })"));
  EXPECT_EQ(decision(plan, "p"), "follow");
  EXPECT_EQ(decision(plan, "f"), "follow");
  EXPECT_EQ(plan.activations.at("p"), plan.activations.at("r"));
  EXPECT_EQ(plan.activations.at("f"), plan.activations.at("r"));
}

TEST(Placement, LastProductKeepsItsFloatOutputAndHasAnInt32Bias) {
  const Plan plan =
      static_plan(network("g (float[2,32] x, float[32,20] w_1, float[20] b_1) => (float[2,20] y) "
                          "{ y = Gemm(x, w_1, b_1) }"));
  EXPECT_EQ(decision(plan, "y"), "quantize");
  EXPECT_FALSE(plan.activations.contains("y"));
  EXPECT_TRUE(plan.biases.contains("b_1"));
}

TEST(Placement, ConcatKeepsItsOwnScale) {
  const Plan plan = static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1,
      float[3,3,1,1] w_2, float[2,6,1,1] w_3) => (float[1,2,4,4] y) {
      a = Conv(x, w_1)
      b = Conv(x, w_2)
      c = Concat<axis = 1>(a, b)
      y = Conv(c, w_3) })"));
  EXPECT_EQ(decision(plan, "c"), "quantize");
  EXPECT_TRUE(plan.activations.contains("a") && plan.activations.contains("b") &&
              plan.activations.contains("c"));
}

TEST(Placement, ArithmeticPaysOnlyBetweenIntegers) {
  const Plan plan = static_plan(network(R"(g (float[1,3,4,4] x, float[1,3,4,4] z,
      float[3,3,1,1] w_1) => (float[1,3,4,4] y, float[1,3,4,4] u) {
      c = Conv(x, w_1)
      a = Add(c, z)
      y = Conv(a, w_1)
      u = Mul(c, c) })"));
  EXPECT_EQ(decision(plan, "a"), "float");  // z is float
  EXPECT_NE(entry(plan, "a").reason.find("'z'"), std::string::npos);
  EXPECT_EQ(decision(plan, "u"), "float");  // nothing integer reads it
}

TEST(Placement, ConstantOperandsOfArithmeticAreStoredAsUint8) {
  const Plan plan =
      static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1, float[1,3,1,1] w_s)
      => (float[1,3,4,4] y) { c = Conv(x, w_1) m = Mul(c, w_s) y = Conv(m, w_1) })"));
  EXPECT_EQ(decision(plan, "m"), "quantize");
  EXPECT_EQ(plan.weights.at("w_s").type, ir::DataType::kUint8);
  EXPECT_EQ(plan.weights.at("w_s").axis, -1);
}

TEST(Placement, NeverFusedOperatorsStayFloatWithAReason) {
  const Plan plan = static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1)
      => (float[1,3,4,4] y) { c = Conv(x, w_1) t = Tanh(c) s = Sub(t, x) e = Exp(s)
      y = Conv(e, w_1) })"));
  for (const char* node : {"t", "s", "e"}) {
    EXPECT_EQ(decision(plan, node), "float");
    EXPECT_FALSE(entry(plan, node).reason.empty());
  }
  EXPECT_TRUE(plan.activations.contains("e"));
  EXPECT_FALSE(plan.activations.contains("t"));
}

TEST(Placement, BatchNormalizationAsksForTheOptimizer) {
  const Plan plan = static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1, float[3] w_a,
      float[3] b_a, float[3] b_m) => (float[1,3,4,4] y) <float[3] v = {1, 2, 3}> {
      c = Conv(x, w_1) y = BatchNormalization(c, w_a, b_a, b_m, v) })"));
  EXPECT_NE(entry(plan, "y").reason.find("optimizer"), std::string::npos);
}

TEST(Placement, WhatFeedsALogarithmStaysFloat) {
  const Plan plan = static_plan(network(R"(g (float[2,16] x, float[16,32] w_dft, float[32,20] w_mel,
      float[20,20] w_1) => (float[2,20] y) <float floor = {0.000001}> {
      f = Gemm(x, w_dft)
      p = Mul(f, f)
      m = Gemm(p, w_mel)
      q = Mul(m, m)
      a = Add(q, floor)
      l = Log(a)
      y = Gemm(l, w_1) })"));
  EXPECT_EQ(decision(plan, "f"), "float");
  EXPECT_EQ(decision(plan, "m"), "float");
  EXPECT_NE(entry(plan, "f").reason.find("logarithm"), std::string::npos);
  EXPECT_EQ(decision(plan, "y"), "quantize");
}

TEST(Placement, ExclusionsByNameAndType) {
  const ir::Model model =
      network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y) {
      head_a = Conv(x, w_1) r = Relu(head_a) y = Conv(r, w_1) })");
  PlanOptions by_name;
  by_name.exclude_nodes = {"head_*"};
  const Plan named = static_plan(model, by_name);
  EXPECT_EQ(decision(named, "head_a"), "float");
  EXPECT_EQ(decision(named, "y"), "quantize");
  EXPECT_TRUE(named.activations.contains("r"));
  PlanOptions by_type;
  by_type.exclude_types = {"Conv"};
  const Plan typed = static_plan(model, by_type);
  EXPECT_TRUE(typed.activations.empty());
}

TEST(Placement, RunTimeWeightsAndUncalibratedInputsStayFloat) {
  const ir::Model model =
      network("g (float[1,3,4,4] x, float[3,3,1,1] k) => (float[1,3,4,4] y) { y = Conv(x, k) }");
  EXPECT_EQ(decision(static_plan(model), "y"), "float");
  const ir::Model constant = network(
      "g (float[1,3,4,4] x, float[3,3,1,1] w_k) => (float[1,3,4,4] y) { y = Conv(x, w_k) }");
  calib::CalibrationTable table = test::ranges(constant);
  table.tensors.erase("x");
  const Plan plan = make_plan(constant, &table, {});
  EXPECT_EQ(decision(plan, "y"), "float");
  EXPECT_NE(entry(plan, "y").reason.find("'x'"), std::string::npos);
}

TEST(Placement, OnlyTheRangeAfterTheClampIsNeeded) {
  const ir::Model model =
      network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y) {
      c = Conv(x, w_1) s = Add(c, c) r = Relu(s) d = Conv(r, w_1) q = Relu(d) y = Conv(q, w_1) })");
  calib::CalibrationTable table = test::ranges(model);
  table.tensors.erase("s");
  table.tensors.erase("d");
  const Plan plan = make_plan(model, &table, {});
  for (const char* node : {"s", "r", "d", "q"}) EXPECT_EQ(decision(plan, node), "quantize") << node;
}

TEST(Placement, WeightsWithNanStayFloat) {
  ir::Model model = network(
      "g (float[1,3,4,4] x, float[3,3,1,1] w_k) => (float[1,3,4,4] y) { y = Conv(x, w_k) }");
  const calib::CalibrationTable table = test::ranges(model);
  ir::Tensor broken = *model.graph->find("w_k")->constant();
  broken.mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  model.graph->find("w_k")->set_constant(broken);
  EXPECT_EQ(decision(make_plan(model, &table, {}), "y"), "float");
}

TEST(Placement, BiasThatWouldOverflowRaisesTheWeightScaleAndWarns) {
  ir::Model model = network(
      "g (float[1,3,4,4] x, float[3,3,1,1] w_k, float[3] b_k) => (float[1,3,4,4] y) "
      "{ y = Conv(x, w_k, b_k) }");
  ir::Tensor weight = *model.graph->find("w_k")->constant();
  for (int i = 0; i < 3; ++i) weight.mutable_data<float>()[static_cast<size_t>(i)] = 1e-12f;
  model.graph->find("w_k")->set_constant(weight);
  const Plan plan = static_plan(model);
  ASSERT_EQ(plan.warnings.size(), 1u);
  EXPECT_NE(plan.warnings[0].find("w_k"), std::string::npos);
  const double b = ir::element_as_double(*model.graph->find("b_k")->constant(), 0);
  EXPECT_LE(std::abs(b) / plan.biases.at("b_k").scale[0], kLargestBias * (1 + 1e-6));
}

TEST(Placement, SharedBiasIsStoredOncePerScale) {
  const Plan plan =
      static_plan(network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1, float[3,3,1,1] w_2,
      float[3] b_1) => (float[1,3,4,4] y) { c = Conv(x, w_1, b_1) y = Conv(c, w_2, b_1) })"));
  EXPECT_TRUE(plan.biases.contains("b_1"));
  EXPECT_TRUE(plan.biases.contains({"b_1", "y"}));
  EXPECT_NE(plan.biases.at("b_1"), plan.biases.at({"b_1", "y"}));
}

TEST(Placement, BiasOfAProductWithKnownRowsIsItsInt32Bias) {
  const std::string graph = R"(g (float[ROWS,32] x, float[32,20] w_1, float[20] b_1)
      => (float[ROWS,20] y) { m = MatMul(x, w_1) y = Add(m, b_1) })";
  const auto with = [&](const std::string& rows) {
    std::string text = graph;
    for (size_t at = text.find("ROWS"); at != std::string::npos; at = text.find("ROWS")) {
      text.replace(at, 4, rows);
    }
    return static_plan(network(text));
  };
  const Plan fixed = with("2,3");
  EXPECT_EQ(decision(fixed, "y"), "quantize");
  EXPECT_TRUE(fixed.biases.contains("b_1"));
  EXPECT_FALSE(fixed.activations.contains("m"));
  const Plan open = with("N,3");
  EXPECT_EQ(decision(open, "m"), "quantize");
  EXPECT_EQ(decision(open, "y"), "float");
  EXPECT_TRUE(open.biases.empty());
  // A matrix product becomes one Gemm, whatever its row count.
  const Plan matrix = with("N");
  EXPECT_EQ(entry(matrix, "y").op_type, "Gemm");
  EXPECT_TRUE(matrix.biases.contains("b_1"));
}

TEST(MakePlan, StaticModeWithoutATableIsAUsageError) {
  const ir::Model model = network("g (float[2] x) => (float[2] y) { y = Relu(x) }");
  try {
    make_plan(model, nullptr, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

TEST(MakePlan, IsDeterministicAndItsJsonNamesEverything) {
  const ir::Model model = network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1, float[3] b_1)
      => (float[1,3,4,4] y) { c = Conv(x, w_1, b_1) r = Relu(c) y = Conv(r, w_1) })");
  const Plan plan = static_plan(model);
  const std::string json = plan_to_json(plan);
  EXPECT_EQ(json, plan_to_json(static_plan(model)));
  for (const char* word : {"\"mode\": \"static\"", "\"w_1\"", "\"b_1\"", "\"int32\"", "\"uint8\"",
                           "\"reason\"", "\"warnings\""}) {
    EXPECT_NE(json.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(plan.nodes.size(), 3u);
}

}  // namespace
}  // namespace fettle::quant
