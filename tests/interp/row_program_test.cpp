// Element-wise chains computed as one step against the reference kernels, node by node.
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

class ElementwiseChain : public testing::TestWithParam<Case> {};

TEST_P(ElementwiseChain, MatchesTheReference) {
  const ir::Model model = test::parse_text_graph(GetParam().graph, GetParam().opset);
  test::expect_accelerated_matches(model, 9);
}

std::string scalar(const std::string& name, const std::string& value) {
  return name + " = Constant <value = float {" + value + "}> () ";
}

// Patterns over x; every one leaves its result in z. Vectors have the extent of the last axis.
const std::vector<std::pair<std::string, std::string>> kPatterns{
    {"layer_norm", scalar("two", "2.0") + scalar("eps", "0.00001") +
                       "m = ReduceMean <axes = [-1]> (x) d = Sub(x, m) q = Pow(d, two) "
                       "v = ReduceMean <axes = [-1]> (q) e = Add(v, eps) r = Sqrt(e) "
                       "n = Div(d, r) s = Mul(n, g) z = Add(s, b)"},
    {"layer_norm_folded", scalar("eps", "0.001") +
                              "m = ReduceMean <axes = [-1]> (x) d = Sub(x, m) q = Mul(d, d) "
                              "v = ReduceMean <axes = [-1]> (q) e = Add(v, eps) r = Sqrt(e) "
                              "i = Reciprocal(r) s = Mul(i, g) a = Mul(x, s) c = Mul(m, s) "
                              "o = Sub(b, c) z = Add(a, o)"},
    {"rms_norm", scalar("two", "2.0") + scalar("eps", "0.00001") + scalar("one", "1.0") +
                     "q = Pow(x, two) v = ReduceMean <axes = [-1]> (q) e = Add(v, eps) "
                     "r = Sqrt(e) i = Div(one, r) n = Mul(x, i) z = Mul(n, g)"},
    {"softmax",
     "e = Exp(x) i = Constant <value = int64[1] {-1}> () "
     "s = ReduceSum(e, i) z = Div(e, s)"},
    {"gelu", scalar("root", "1.41421356") + scalar("one", "1.0") + scalar("half", "0.5") +
                 "d = Div(x, root) e = Erf(d) p = Add(e, one) m = Mul(x, p) z = Mul(m, half)"},
    {"gelu_tanh", scalar("k", "0.044715") + scalar("three", "3.0") + scalar("c", "0.79788456") +
                      scalar("one", "1.0") + scalar("half", "0.5") +
                      "p = Pow(x, three) q = Mul(p, k) s = Add(x, q) t = Mul(s, c) u = Tanh(t) "
                      "v = Add(u, one) w = Mul(x, v) z = Mul(w, half)"},
    {"silu", "s = Sigmoid(x) z = Mul(x, s)"},
    {"silu_twice", "a = Add(x, b) s = Sigmoid(a) m = Mul(s, a) t = Sigmoid(m) u = Mul(m, t) "
                   "v = Mul(u, g) z = Sub(v, m)"},
    {"silu_shared", "s = Sigmoid(x) m = Mul(x, s) z = Add(m, s)"},
    {"sigmoid_squared", "s = Sigmoid(x) z = Mul(s, s)"},
    {"sigmoid_of_vector", "s = Sigmoid(g) m = Mul(g, s) z = Mul(x, m)"},
    {"mish", "s = Softplus(x) t = Tanh(s) z = Mul(x, t)"},
    {"hard_swish", scalar("three", "3.0") + scalar("zero", "0.0") + scalar("six", "6.0") +
                       "a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) z = Div(m, six)"},
    {"vectors", "a = Mul(x, g) c = Add(a, b) d = Tanh(c) z = Sub(d, g)"},
    {"reused", "a = Neg(x) c = Abs(a) d = Add(a, c) e = Mul(d, a) z = Add(e, c)"},
    {"of_vectors", "a = Exp(g) c = Mul(a, b) d = Add(c, x) z = Sigmoid(d)"},
    {"escaping", "a = Neg(x) c = Exp(a) t = Transpose(a) u = Transpose(t) z = Add(c, u)"},
};

std::vector<Case> chains() {
  const std::vector<std::pair<std::string, std::string>> shapes{
      {"[3,4,50]", "[50]"}, {"[99,64]", "[64]"},    {"[2,2500]", "[2500]"}, {"[2,9000]", "[9000]"},
      {"[7]", "[7]"},       {"[1,1]", "[1]"},       {"[0,5]", "[5]"},       {"[300,1]", "[1]"},
      {"[5,700,3]", "[3]"}, {"[2,3,33]", "[1,33]"}, {"[700,700]", "[700]"}};
  std::vector<Case> cases;
  for (const auto& [name, body] : kPatterns) {
    for (size_t s = 0; s < shapes.size(); ++s) {
      const auto& [x, v] = shapes[s];
      cases.push_back({name + std::to_string(s), "g (float" + x + " x, float" + v + " g, float" +
                                                     v + " b) => (float z) { " + body + " }"});
    }
  }
  return cases;
}

std::vector<Case> others() {
  const std::string head =
      "g (float[2,19,10,10] x, float[32,19,3,3] w, float[32,32,1,1] v, float[1,32,1,1] s, "
      "float[] n) => (float z) { c = Conv (x, w) ";
  return {
      {"channels",
       "g (float[2,5,6,7] x, float[5,1,1] s, float[1,5,1,1] t) => (float z) "
       "{ a = Mul(x, s) b = Add(a, t) z = Tanh(b) }"},
      {"channels_of_one",
       "g (float[1,5,40,40] x, float[5,1,1] s, float[1,5,1,1] t) => (float z) "
       "{ a = Mul(x, s) b = Add(a, t) z = Tanh(b) }"},
      {"mixed",
       "g (float[3,5,6] x, float[3,1,6] s, float[5,1] t) => (float z) "
       "{ a = Mul(x, s) b = Add(a, t) z = Tanh(b) }"},
      {"growing",
       "g (float[6] x, float[5,6] s, float[4,1,1] t) => (float z) "
       "{ a = Neg(x) b = Exp(a) c = Mul(b, s) d = Sub(c, t) z = Tanh(d) }"},
      {"integers",
       "g (int64[4] x, int64[4] y) => (int64 z) { a = Mul(x, y) b = Add(a, x) "
       "z = Sub(b, y) }"},
      {"other_axis",
       "g (float[4,5,6] x) => (float z) { m = ReduceMean <axes = [1]> (x) "
       "d = Sub(x, m) z = Exp(d) }"},
      {"shared_result",
       "g (float[4,6] x) => (float z, float c) { a = Neg(x) c = Exp(a) "
       "z = Tanh(c) }"},
      {"blocked", head + "a = Neg(c) b = Mul(a, n) z = Sub(b, c) }"},
      {"blocked_two", head + "d = Conv(c, v) a = Exp(c) b = Mul(a, d) z = Conv(b, v) }"},
      {"blocked_vector", head + "a = Neg(c) b = Mul(a, s) z = Conv(b, v) }"},
      {"blocked_gate", head + "g1 = GlobalAveragePool(c) k = Conv(g1, v) h = HardSigmoid(k) "
                              "m = Mul(c, h) z = Conv(m, v) }"},
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Pattern, ElementwiseChain, testing::ValuesIn(chains()), case_name);
INSTANTIATE_TEST_SUITE_P(Other, ElementwiseChain, testing::ValuesIn(others()), case_name);

}  // namespace
}  // namespace fettle
