// Dynamic, weight-only and float16 modes against the float model.
#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/float16.h"
#include "ir/verify.h"
#include "quant/fp16_convert.h"
#include "quant/prepare.h"
#include "quant/relative_precision.h"
#include "quant_support.h"

namespace fettle::quant {
namespace {

using test::decision;
using test::entry;
using test::network;
using test::operators;
using test::sqnr;

struct Result {
  Plan plan;
  ir::Model model;
};

Result converted(const ir::Model& model, PlanOptions options, double at_least_db,
                 const calib::CalibrationTable* table = nullptr) {
  Result result{make_plan(model, table, options), ir::clone(model)};
  apply_plan(result.model, result.plan);
  ir::verify(result.model);
  if (options.keep_io_types) {
    EXPECT_EQ(test::signature(result.model), test::signature(model));
  }
  if (options.keep_io_types) {
    const interp::Feeds feeds = test::random_feeds(model, 21);
    EXPECT_GT(sqnr(test::run(model, feeds), test::run(result.model, feeds)), at_least_db);
  }
  return result;
}

Result in_mode(const ir::Model& model, Mode mode, double at_least_db) {
  PlanOptions options;
  options.mode = mode;
  return converted(model, options, at_least_db);
}

TEST(Mode, NamesAndBack) {
  for (const Mode mode : {Mode::kStatic, Mode::kDynamic, Mode::kWeightOnly, Mode::kFp16}) {
    EXPECT_EQ(mode_from_name(mode_name(mode)), mode);
  }
  EXPECT_FALSE(mode_from_name("int3"));
}

TEST(Dynamic, ProductsOfAnyRank) {
  for (const char* shape : {"32", "4,32", "2,4,32", "2,2,4,32"}) {
    const std::string out = std::string(shape).substr(0, std::string(shape).rfind("32")) + "20";
    const Result r = in_mode(network("g (float[" + std::string(shape) +
                                     "] x, float[32,20] w_1, float[20] b_1) => (float[" + out +
                                     "] y) { m = MatMul(x, w_1) y = Add(m, b_1) }"),
                             Mode::kDynamic, 35);
    const auto ops = operators(r.model);
    EXPECT_EQ(ops.at("MatMulInteger"), 1);
    EXPECT_EQ(ops.at("DynamicQuantizeLinear"), 1);
    EXPECT_FALSE(ops.contains("MatMul"));
    EXPECT_EQ(r.plan.weights.at("w_1").axis, 1);
  }
}

TEST(Dynamic, GemmWithTransposedWeightFactorsAndBias) {
  const Result r = in_mode(network(R"(g (float[4,32] x, float[20,32] w_1, float[20] b_1)
      => (float[4,20] y) { y = Gemm<transB = 1, alpha = 0.5, beta = 2.0>(x, w_1, b_1) })"),
                           Mode::kDynamic, 35);
  const ir::Value* codes = nullptr;
  for (const ir::Node& node : r.model.graph->nodes()) {
    if (node.is("MatMulInteger")) codes = node.input(1);
  }
  ASSERT_NE(codes, nullptr);
  EXPECT_EQ(codes->constant()->dims(), (ir::Dims{32, 20}));
  EXPECT_EQ(r.model.graph->find("y")->producer()->op_type, "Add");
}

TEST(Dynamic, ProductsOfOneActivationQuantizeItOnce) {
  const Result r = in_mode(network(R"(g (float[4,32] x, float[32,20] w_1, float[32,20] w_2)
      => (float[4,20] y, float[4,20] z) { y = MatMul(x, w_1) z = MatMul(x, w_2) })"),
                           Mode::kDynamic, 35);
  EXPECT_EQ(operators(r.model).at("DynamicQuantizeLinear"), 1);
  EXPECT_EQ(operators(r.model).at("MatMulInteger"), 2);
}

TEST(Dynamic, ConvolutionsAndActivationProductsStayFloat) {
  const ir::Model model = network(R"(g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y)
      { c = Conv(x, w_1) y = MatMul(c, x) })");
  const Result r = in_mode(model, Mode::kDynamic, 900);
  EXPECT_EQ(entry(r.plan, "c").reason, "no runtime has a fast dynamic convolution");
  EXPECT_EQ(decision(r.plan, "y"), "float");
}

TEST(WeightOnly, WeightsBecomeInt8AndOldOpsetsAreRaised) {
  const Result r = in_mode(network(R"(g (float[1,8,6,6] x, float[16,8,3,3] w_1, float[256,32] w_2,
      float[32,16] w_3) => (float[1,16] y) {
      c = Conv(x, w_1)
      f = Flatten(c)
      m = MatMul(f, w_2)
      y = Gemm(m, w_3) })",
                                   11),
                           Mode::kWeightOnly, 30);
  EXPECT_EQ(r.model.opset(), 13);
  EXPECT_EQ(operators(r.model).at("DequantizeLinear"), 3);
  EXPECT_EQ(r.plan.weights.at("w_1").axis, 0);
  EXPECT_EQ(r.plan.weights.at("w_2").axis, 1);
  EXPECT_EQ(r.model.graph->find("w_1"), nullptr);
  ASSERT_EQ(r.plan.warnings.size(), 1u);
  EXPECT_NE(r.plan.warnings[0].find("not time"), std::string::npos);
}

TEST(WeightOnly, EmbeddingsAreLookedUpAsIntegers) {
  const Result r = in_mode(network("g (int64[2,3] ids, float[10,64] w_table) => (float[2,3,64] y) "
                                   "{ y = Gather(w_table, ids) }"),
                           Mode::kWeightOnly, 35);
  const ir::Node& back = *r.model.graph->find("y")->producer();
  EXPECT_TRUE(back.is("DequantizeLinear"));
  EXPECT_TRUE(back.input(0)->producer()->is("Gather"));
  EXPECT_EQ(back.attr_int("axis", 1), -1);
}

TEST(WeightOnly, SmallWeightsAreNotWorthIt) {
  const Result r = in_mode(
      network(
          "g (float[1,3,4,4] x, float[3,3,1,1] w_1) => (float[1,3,4,4] y) { y = Conv(x, w_1) }"),
      Mode::kWeightOnly, 900);
  EXPECT_EQ(decision(r.plan, "y"), "float");
  EXPECT_TRUE(r.plan.warnings.empty());
}

TEST(WeightOnly, SharedWeightsAreStoredOnce) {
  const Result r = in_mode(network(R"(g (float[4,32] x, float[32,32] w_1) => (float[4,32] y)
      { m = MatMul(x, w_1) y = MatMul(m, w_1) })"),
                           Mode::kWeightOnly, 30);
  EXPECT_EQ(operators(r.model).at("DequantizeLinear"), 1);
}

TEST(Fp16, ConvertsEverythingBetweenTwoCasts) {
  const Result r = in_mode(network(R"(g (float[1,3,8,8] x, float[4,3,3,3] w_1, float[4] b_1)
      => (float[1,4,6,6] y) { c = Conv(x, w_1, b_1) y = Relu(c) })"),
                           Mode::kFp16, 55);
  EXPECT_EQ(operators(r.model).at("Cast"), 2);
  EXPECT_EQ(r.model.graph->find("w_1")->constant()->type(), ir::DataType::kFloat16);
  EXPECT_EQ(r.model.graph->find("y")->producer()->op_type, "Cast");
}

TEST(Fp16, InputsAndOutputsOnRequest) {
  PlanOptions options;
  options.mode = Mode::kFp16;
  options.keep_io_types = false;
  const Result r = converted(network("g (float[2,3] x, float[3,3] w_1) => (float[2,3] y) "
                                     "{ y = MatMul(x, w_1) }"),
                             options, 0);
  EXPECT_FALSE(operators(r.model).contains("Cast"));
  EXPECT_EQ(r.model.graph->inputs()[0]->type.element, ir::DataType::kFloat16);
  EXPECT_EQ(r.model.graph->outputs()[0]->type.element, ir::DataType::kFloat16);
}

TEST(Fp16, OneCastPerValueAndNoneBackToBack) {
  const Result r =
      in_mode(network(R"(g (float[2,3] x, float[3,3] w_1) => (float[2,3] y, float[2,3] z)
      <int64 axis = {1}> {
      y = MatMul(x, w_1)
      a = Relu(x)
      c = CumSum(y, axis)
      z = Add(c, a) })",
                      14),
              Mode::kFp16, 50);
  for (const ir::Node& node : r.model.graph->nodes()) {
    if (!node.is("Cast")) continue;
    const ir::Node* before = node.input(0)->producer();
    EXPECT_TRUE(before == nullptr || !before->is("Cast"));
  }
}

TEST(Fp16, LargeConstantsKeepTheirConsumerInFloat) {
  const Result r = in_mode(network(R"(g (float[2,3] x, float[3,3] w_1) => (float[2,3] y)
      <float big = {100000.0}> { m = MatMul(x, w_1) a = Mul(m, big) y = Relu(a) })"),
                           Mode::kFp16, 50);
  EXPECT_EQ(decision(r.plan, "a"), "float");
  EXPECT_NE(entry(r.plan, "a").reason.find("65504"), std::string::npos);
  EXPECT_EQ(decision(r.plan, "m"), "fp16");
}

TEST(Fp16, EpsilonsThatWouldVanishKeepTheirConsumerInFloat) {
  const Result r = in_mode(network(R"(g (float[2,3] x, float[3,3] w_1) => (float[2,3] y)
      <float eps = {0.000000000001}> { m = MatMul(x, w_1) y = Add(m, eps) })"),
                           Mode::kFp16, 50);
  EXPECT_EQ(decision(r.plan, "y"), "float");
}

TEST(Fp16, NumbersInAttributesAreCheckedLikeTensors) {
  for (const char* attribute : {"value_float = 0.000000000001", "value_float = 1000000.0",
                                "value_floats = [1000000.0]"}) {
    ir::Model model = network(std::string("g (float[2,3] x, float[3,3] w_1) => (float[2,3] y) { c = Constant<") +
                              attribute + ">() m = MatMul(x, w_1) y = Add(m, c) }");
    prepare(model);
    const Result r = in_mode(model, Mode::kFp16, 50);
    EXPECT_EQ(decision(r.plan, "y"), "float") << attribute;
  }
}

TEST(Fp16, ObservedActivationsBeyondTheRangeStayFloat) {
  const ir::Model model = network(R"(g (float[2,3] x, float[3,3] w_1) => (float[2,3] y) {
      m = MatMul(x, w_1) t = Mul(m, m) y = Tanh(t) })");
  calib::CalibrationTable table = test::ranges(model);
  table.tensors.at("t").max = 40000;
  PlanOptions options;
  options.mode = Mode::kFp16;
  const Result r = converted(model, options, 50, &table);
  EXPECT_EQ(decision(r.plan, "t"), "float");
  EXPECT_EQ(decision(r.plan, "y"), "float");
  EXPECT_EQ(decision(r.plan, "m"), "fp16");
}

TEST(Fp16, UnderflowIsCounted) {
  ir::Model model =
      network("g (float[2,3] x, float[3,3] w_1) => (float[2,3] y) { y = MatMul(x, w_1) }");
  ir::Tensor weight = *model.graph->find("w_1")->constant();
  weight.mutable_data<float>()[0] = 1e-12f;
  model.graph->find("w_1")->set_constant(weight);
  const Result r = in_mode(model, Mode::kFp16, 50);
  EXPECT_NE(r.plan.warnings.at(0).find("1 of 9"), std::string::npos);
}

TEST(Fp16, ResizeScalesAndAttributesThatHoldTypes) {
  const Result r = in_mode(network(R"(g (float[1,1,3,3] x, float[1,1,1,1] w_1) => (float[1,1,6,6] y)
      <float[4] s = {1, 1, 2, 2}> {
      c = Conv(x, w_1)
      u = Resize<mode = "nearest">(c, , s)
      n = Shape(u)
      z = ConstantOfShape(n)
      y = Add(u, z) })"),
                           Mode::kFp16, 55);
  EXPECT_EQ(r.model.graph->find("s")->constant()->type(), ir::DataType::kFloat);
  EXPECT_EQ(r.model.graph->find("z")->producer()->attr_tensor("value")->type(),
            ir::DataType::kFloat16);
  EXPECT_EQ(r.model.graph->find("n")->producer()->input(0)->producer()->op_type, "Resize");
}

TEST(Fp16, IntegersHeldInFloatsStayExact) {
  const Result r = in_mode(network(R"(g (int64[3] n, float[3] x) => (float[3] y)
      <float scale = {1.5}> { f = Cast<to = 1>(n) p = Mul(f, scale) q = Neg(x) y = Add(p, q) })"),
                           Mode::kFp16, 50);
  EXPECT_EQ(decision(r.plan, "f"), "float");
  EXPECT_EQ(decision(r.plan, "p"), "float");
  EXPECT_EQ(decision(r.plan, "q"), "fp16");
}

TEST(Fp16, SubgraphsAndBlockedTypesStayFloat) {
  PlanOptions options;
  options.mode = Mode::kFp16;
  options.fp16_block_types = {"Tanh"};
  const Result r = converted(network(R"(g (float[2,3] x, bool c, float[3,3] w_1) => (float[2,3] y) {
      m = MatMul(x, w_1)
      t = Tanh(m)
      y = If (c) <then_branch = a () => (float[2,3] o) { o = Abs(m) },
                  else_branch = b () => (float[2,3] p) { p = Neg(t) }> })"),
                             options, 50);
  EXPECT_EQ(decision(r.plan, "t"), "float");
  EXPECT_EQ(decision(r.plan, "y"), "float");
  EXPECT_EQ(decision(r.plan, "m"), "fp16");
}

TEST(Fp16, ConversionRoundsToEvenAndCountsLosses) {
  const ir::Tensor t = ir::Tensor::of<float>({5}, {1.0f, 70000.0f, 1e-12f, 1e-6f, 0.0f});
  const Fp16Loss loss = measure_fp16_loss(t);
  EXPECT_EQ(loss.beyond_range, 1);
  EXPECT_EQ(loss.to_zero, 1);
  EXPECT_EQ(loss.subnormal, 1);
  const ir::Tensor half = to_fp16(ir::Tensor::of<float>({2}, {2049.0f, 2051.0f}));
  EXPECT_EQ(static_cast<float>(half.data<ir::Float16>()[0]), 2048.0f);
  EXPECT_EQ(static_cast<float>(half.data<ir::Float16>()[1]), 2052.0f);
}

TEST(Fp16, WhatIsQuantizedAlreadyKeepsItsTypes) {
  const ir::Model model = network(R"(g (float[2,3] x, float[3,3] w_1) => (float[2,3] y)
      <float s = {0.1}, uint8 z = {128}> {
      q = QuantizeLinear(x, s, z)
      d = DequantizeLinear(q, s, z)
      t = Transpose<perm = [0, 1]>(d)
      y = MatMul(t, w_1) })");
  const Result r = in_mode(model, Mode::kFp16, 50);
  EXPECT_EQ(entry(r.plan, "t").reason, "already quantized");
  EXPECT_EQ(decision(r.plan, "y"), "fp16");
}

TEST(WeightOnly, GroupedTransposedConvolutionHasOneScalePerInputChannel) {
  const Result r =
      in_mode(network("g (float[1,32,4,4] x, float[32,1,3,3] w_1) => (float[1,32,6,6] y) "
                      "{ y = ConvTranspose<group = 32>(x, w_1) }"),
              Mode::kWeightOnly, 30);
  EXPECT_EQ(r.plan.weights.at("w_1").axis, 0);
}

TEST(RelativePrecision, StopsAtTheNearestNonlinearity) {
  const ir::Model model =
      network(R"(g (float[2,3] x, float[3,3] w_1, float[3,3] w_2) => (float[2,3] y)
      { a = MatMul(x, w_1) r = Sigmoid(a) b = MatMul(r, w_2) y = Log(b) })");
  std::vector<std::string> names;
  const auto found = nodes_feeding_logarithms(*model.graph);
  for (const ir::Node& node : model.graph->nodes()) {
    if (found.contains(&node)) names.push_back(node.output(0)->name());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"b", "y"}));
}

}  // namespace
}  // namespace fettle::quant
