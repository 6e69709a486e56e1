// Convolutions with what is fused around them, against reference kernels.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interp/executor.h"
#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string body;  // from x [2,6,9,10], w [8,6,3,3], d [6,1,3,3], t [6,4,2,2] and vectors to z
  int64_t opset = 17;
  std::string fused = {};  // operators of the step that must be there once all but x is constant
};

class ConvolutionFusion : public testing::TestWithParam<Case> {
 protected:
  static ir::Model model() {
    const std::string head =
        "g (float[2,6,9,10] x, float[8,6,3,3] w, float[6,1,3,3] d, float[6,4,2,2] t, float[8] b, "
        "float[1,8,1,1] s, float[8] s8, float[4] b4, float[6] b6) => (float z) "
        "<float zero = {0}, float one = {1}, float three = {3}, float six = {6}, "
        "float third = {0.1666666667}> { ";
    return test::parse_text_graph(head + GetParam().body + " }", GetParam().opset);
  }
};

TEST_P(ConvolutionFusion, MatchesTheReference) {
  test::expect_accelerated_matches(model(), 5, 3e-5);
}

TEST_P(ConvolutionFusion, IsOneStep) {
  if (GetParam().fused.empty()) return;
  ir::Model fixed = model();
  const interp::Feeds feeds = test::random_feeds(fixed, 5);
  for (ir::Value* input : fixed.graph->inputs()) {
    if (input->name() == "x") continue;
    ir::StoredTensor stored;
    stored.tensor = feeds.at(input->name()).tensor;
    fixed.graph->set_initializer(*input, std::move(stored));
  }
  interp::Executor executor(fixed);
  interp::Trace trace;
  executor.run({{"x", feeds.at("x")}}, trace);
  std::string steps;
  for (const auto& step : trace.steps) steps += step.op + " ";
  EXPECT_EQ(steps, GetParam().fused + " ");
}

std::vector<Case> cases() {
  return {
      {"batch_norm", "c = Conv(x, w, b) v = Abs(s8) z = BatchNormalization(c, s8, b, b, v)", 17,
       "Conv+BatchNormalization"},
      {"batch_norm_relu",
       "c = Conv(x, w) v = Abs(s8) n = BatchNormalization(c, s8, b, b, v) z = Relu(n)", 17,
       "Conv+BatchNormalization+Relu"},
      {"caffe_batch_norm",
       "c = Conv(x, w) v = Abs(s8) n = BatchNormalization(c, s8, b, b, v) m = Mul(n, s) z = Add(s, "
       "m)",
       17, "Conv+BatchNormalization+Mul+Add"},
      {"scaled_and_shifted",
       "c = Conv(x, w, b) m = Mul(c, s) q = Sub(s, m) e = Exp(s) z = Div(q, e)", 17,
       "Conv+Mul+Sub+Div"},
      {"depthwise_batch_norm",
       "c = Conv <group = 6> (x, d, b6) v = Abs(b6) z = BatchNormalization(c, b6, b6, b6, v)", 17,
       "Conv+BatchNormalization"},
      {"transposed_batch_norm",
       "c = ConvTranspose <strides = [2,2]> (x, t, b4) v = Abs(b4) z = BatchNormalization(c, b4, "
       "b4, b4, v)"},
      {"grouped_transposed_batch_norm",
       "c = ConvTranspose <group = 2, strides = [2,2]> (x, t) v = Abs(s8) "
       "z = BatchNormalization(c, s8, b, b, v)"},
      {"sigmoid", "c = Conv(x, w, b) z = Sigmoid(c)", 17, "Conv+Sigmoid"},
      {"tanh", "c = Conv(x, w, b) z = Tanh(c)", 17, "Conv+Tanh"},
      {"elu", "c = Conv(x, w, b) z = Elu <alpha = 0.7> (c)", 17, "Conv+Elu"},
      {"hard_sigmoid", "c = Conv(x, w, b) z = HardSigmoid <alpha = 0.3, beta = 0.4> (c)", 17,
       "Conv+HardSigmoid"},
      {"silu", "c = Conv(x, w) g = Sigmoid(c) z = Mul(c, g)", 17, "Conv+Sigmoid+Mul"},
      {"hard_swish_by_gate",
       "c = Conv(x, w) g = HardSigmoid <alpha = 0.16666667, beta = 0.5> (c) z = Mul(g, c)", 17,
       "Conv+HardSigmoid+Mul"},
      {"gate_of_other_slope",
       "c = Conv(x, w) g = HardSigmoid <alpha = 0.2, beta = 0.5> (c) z = Mul(g, c)"},
      {"hard_swish_written_out",
       "c = Conv(x, w) a = Add(three, c) k = Clip(a, zero, six) m = Mul(k, third) z = Mul(c, m)",
       17, "Conv+Add+Clip+Mul+Mul"},
      {"hard_swish_divided_last",
       "c = Conv(x, w) a = Add(c, three) k = Clip(a, zero, six) m = Mul(k, c) z = Div(m, six)", 17,
       "Conv+Add+Clip+Mul+Div"},
      {"clip_of_another_sum",
       "c = Conv(x, w) a = Add(c, one) k = Clip(a, zero, six) m = Mul(k, third) z = Mul(c, m)"},
      {"padded",
       "p = Constant <value = int64[8] {0,0,1,0,0,0,2,3}> () q = Pad(x, p) "
       "z = Conv <pads = [1,0,0,1], strides = [2,1]> (q, w, b)",
       17, "Pad+Conv"},
      {"padded_before_opset_11", "q = Pad <pads = [0,0,1,0,0,0,2,3]> (x) z = Conv(q, w, b)", 10,
       "Pad+Conv"},
      {"padded_with_ones",
       "p = Constant <value = int64[8] {0,0,1,0,0,0,2,3}> () q = Pad(x, p, one) "
       "z = Conv(q, w, b)"},
      {"padded_channels",
       "p = Constant <value = int64[8] {0,-1,1,0,0,1,2,3}> () q = Pad(x, p, zero) "
       "z = Conv(q, w, b)"},
      {"padded_by_mirror",
       "p = Constant <value = int64[8] {0,0,1,0,0,0,2,3}> () "
       "q = Pad <mode = \"reflect\"> (x, p) z = Conv(q, w, b)"},
      {"pad_with_two_readers",
       "p = Constant <value = int64[8] {0,0,1,0,0,0,2,3}> () q = Pad(x, p) "
       "c = Conv(q, w, b) e = ReduceMax <keepdims = 1> (q) z = Add(c, e)"},
  };
}

INSTANTIATE_TEST_SUITE_P(Cases, ConvolutionFusion, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<Case>& tested) {
                           return tested.param.name;
                         });

// Shapes that differ from the first run's make the plan general; results stay right.
// Windows without an element of the input, beside a residual and a function.
TEST(ConvolutionOfPadding, MatchesTheReference) {
  const char* const windows[] = {
      "kernel_shape = [1, 2], pads = [0, 1, 1, 1], strides = [2, 2]",
      "kernel_shape = [1, 2], pads = [2, 0, 0, 4]",
      "kernel_shape = [1, 2], dilations = [1, 9], pads = [0, 8, 0, 8]",
  };
  const char* const dims[] = {"3,4", "6,10", "4,14"};
  for (size_t i = 0; i < 3; ++i) {
    for (const std::string function : {"Sigmoid", "Relu", "Tanh"}) {
      const ir::Model model = test::parse_text_graph(
          "g (float[1,2,4,7] x, float[8,2,1,2] w, float[1,8," + std::string(dims[i]) +
          "] r) => (float z) { c = Conv <" + windows[i] + "> (x, w) s = Add(c, r) z = " + function +
          "(s) }");
      test::expect_accelerated_matches(model, 5, 3e-5);
    }
  }
}

TEST(PlansForShapes, FollowTheInputs) {
  const ir::Model model = test::parse_text_graph(
      "g (float[N,C] x) => (float y, int64 n) "
      "<int64 first = {0}, int64[1] tail = {-1}, int64[1] axis = {0}> "
      "{ s = Shape(x) n = Gather(s, first) u = Unsqueeze(n, axis) d = Concat <axis = 0> (u, tail) "
      "r = Reshape(x, d) y = Relu(r) }",
      17);
  interp::Executor executor(model);
  for (const ir::Dims& dims : {ir::Dims{2, 3}, ir::Dims{2, 3}, ir::Dims{5, 1}, ir::Dims{2, 3}}) {
    const ir::Tensor x = test::random_floats(dims, 3);
    const auto outputs = executor.run({{"x", ops::RuntimeValue(x)}});
    EXPECT_EQ(outputs[0].tensor.dims(), dims);
    EXPECT_EQ(outputs[1].tensor.data<int64_t>()[0], dims[0]);
  }
}

}  // namespace
}  // namespace fettle
