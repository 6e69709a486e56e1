// Accelerated element-wise kernels against the reference kernels, and the vector functions against
// those of the C library.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "interp/vector_math.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string graph;
  int64_t opset = 18;
};

class Elementwise : public testing::TestWithParam<Case> {};

TEST_P(Elementwise, MatchesTheReference) {
  const ir::Model model = test::parse_text_graph(GetParam().graph, GetParam().opset);
  test::expect_accelerated_matches(model, 5);
}

std::vector<Case> unary() {
  std::vector<Case> cases;
  const std::vector<std::string> ops{"Ceil",
                                     "Celu <alpha = 0.7>",
                                     "Cos",
                                     "Elu <alpha = 1.5>",
                                     "Erf",
                                     "Exp",
                                     "Floor",
                                     "Gelu",
                                     "Gelu <approximate = \"tanh\">",
                                     "LeakyRelu",
                                     "Mish",
                                     "Neg",
                                     "Reciprocal",
                                     "Round",
                                     "Selu",
                                     "Shrink <lambd = 0.3, bias = 0.1>",
                                     "Sigmoid",
                                     "Sign",
                                     "Sin",
                                     "Softplus",
                                     "Softsign",
                                     "Tanh",
                                     "ThresholdedRelu <alpha = 0.4>"};
  const std::vector<std::string> shapes{"[3,50]", "[2,3,11117]", "[]", "[0,4]", "[17]"};
  for (size_t i = 0; i < ops.size(); ++i) {
    for (size_t s = 0; s < shapes.size(); ++s) {
      cases.push_back({"unary" + std::to_string(i) + "_" + std::to_string(s),
                       "g (float" + shapes[s] + " x) => (float z) { z = " + ops[i] + " (x) }", 20});
    }
  }
  for (const char* op : {"Log", "Sqrt"}) {
    cases.push_back({std::string(op), std::string("g (float[3,333] x) => (float z) { a = Abs(x) "
                                                  "z = ") +
                                          op + " (a) }"});
  }
  return cases;
}

const std::vector<std::pair<std::string, std::string>> kShapes{{"[4,5]", "[4,5]"},
                                                               {"[4,5]", "[5]"},
                                                               {"[4,5]", "[]"},
                                                               {"[1]", "[]"},
                                                               {"[]", "[]"},
                                                               {"[0,5]", "[1,5]"},
                                                               {"[4,1]", "[1,5]"},
                                                               {"[2,3,4,5]", "[3,1,1]"},
                                                               {"[3,1,1]", "[2,3,4,5]"},
                                                               {"[2,1,4,1]", "[1,3,1,5]"},
                                                               {"[300,400]", "[300,1]"},
                                                               {"[300,400]", "[400]"},
                                                               {"[9000,7]", "[7]"},
                                                               {"[40,60,3,3]", "[1,60,1,1]"},
                                                               {"[2,3,1,1,70]", "[5,1,70]"}};

std::vector<Case> binary() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& type, const std::string& out, const std::string& op,
                       const std::string& attributes = "") {
    for (size_t i = 0; i < kShapes.size(); ++i) {
      cases.push_back({type + "_" + op + std::to_string(i),
                       "g (" + type + kShapes[i].first + " x, " + type + kShapes[i].second +
                           " y) => (" + out + " z) { z = " + op + attributes + " (x, y) }"});
    }
  };
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"}) {
    add("float", "float", op);
  }
  for (const char* type : {"int32", "int64"}) {
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) add(type, type, op);
  }
  for (const char* type : {"float", "int32", "int64"}) {
    for (const char* op : {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"}) {
      add(type, "bool", op);
    }
  }
  for (const char* op : {"And", "Or", "Xor", "Equal"}) add("bool", "bool", op);
  return cases;
}

std::vector<Case> others() {
  std::vector<Case> cases{
      {"prelu", "g (float[2,6,5,7] x, float[6,1,1] s) => (float z) { z = PRelu(x, s) }"},
      {"prelu_one", "g (float[2,60] x, float[1] s) => (float z) { z = PRelu(x, s) }"},
      {"three", "g (float[4,5] a, float[5] b, float[3,4,1] c) => (float z) { z = Sum(a, b, c) }"},
      {"greatest",
       "g (float[5] a, float[4,1] b, float[2,1,1] c, float[] d) => (float z) "
       "{ z = Max(a, b, c, d) }"},
      {"one", "g (float[4,5] a) => (float z) { z = Mean(a) }"},
      {"equal_signs",
       "g (int64[500] x, int64[500] y) => (bool z) "
       "{ a = Sign(x) b = Sign(y) z = Equal(a, b) }"},
      {"not", "g (bool[33,3] x) => (bool z) { z = Not(x) }"},
      {"power", "g (float[5,30] x, float[30] e) => (float z) { a = Abs(x) z = Pow(a, e) }"},
  };
  for (const char* exponent : {"2.0", "3.0", "0.5", "-0.5", "-1.0", "1.5", "0.3"}) {
    cases.push_back({"power" + std::to_string(cases.size()),
                     std::string("g (float[5,30] x) => (float z) { a = Abs(x) "
                                 "e = Constant <value = float {") +
                         exponent + "}> () z = Pow(a, e) }"});
  }
  for (const char* exponent : {"float {2.0}", "int64 {2}", "int32 {3}", "int64[1] {2}",
                               "int64 {-1}", "float[1,1,1] {2.0}"}) {
    cases.push_back({"power_of" + std::to_string(cases.size()),
                     std::string("g (float[5,30] x) => (float z) { e = Constant <value = ") +
                         exponent + "> () z = Pow(x, e) }"});
  }
  const std::string head =
      "g (float[2,19,6,6] x, float[35,19,3,3] w, float[35,35,1,1] v, float[2,35,1,1] s, "
      "float[1,35,1,1] o, float[2,1,6,6] p, float[] n) => (float z) { c = Conv (x, w) "
      "d = Conv <pads = [1,1,1,1]> (x, w) ";
  for (const char* tail :
       {"z = Mul(d, s)", "z = Add(d, s)", "z = Sub(d, o)", "z = Div(d, o)", "z = Mul(d, p)",
        "z = Add(d, p)", "z = Mul(d, n)", "z = Sub(o, d)", "z = Max(d, s)", "z = PRelu(d, o)",
        "g1 = GlobalAveragePool(d) k = Conv(g1, v) q = Sigmoid(k) z = Mul(d, q)",
        "g1 = GlobalAveragePool(d) k = Conv(g1, v) z = Add(k, d)", "q = Softplus(d) z = Conv(q, v)",
        "q = Mul(d, p) z = Conv(q, v)", "q = Log(n) z = Add(c, q)"}) {
    cases.push_back({"layout" + std::to_string(cases.size()), head + tail + " }"});
  }
  return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Unary, Elementwise, testing::ValuesIn(unary()), case_name);
INSTANTIATE_TEST_SUITE_P(Binary, Elementwise, testing::ValuesIn(binary()), case_name);
INSTANTIATE_TEST_SUITE_P(Other, Elementwise, testing::ValuesIn(others()), case_name);

using interp::cos_row;
using interp::erf_row;
using interp::exp_row;
using interp::log_row;
using interp::mish_row;
using interp::sin_row;
using interp::softplus_row;
using interp::tanh_row;

using Row = void (*)(const float* x, float* y, int64_t n);

// Largest relative error of `row` on [from, to], of results above 1e-30.
double worst(Row row, double (*exact)(double), double from, double to) {
  constexpr size_t kCount = 200003;
  std::vector<float> x(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    x[i] = static_cast<float>(from + (to - from) * static_cast<double>(i) / (kCount - 1));
  }
  std::vector<float> y(kCount);
  row(x.data(), y.data(), kCount);
  double error = 0;
  for (size_t i = 0; i < kCount; ++i) {
    const double r = exact(static_cast<double>(x[i]));
    if (std::fabs(r) < 1e-30) continue;
    error = std::max(error, std::fabs(static_cast<double>(y[i]) / r - 1));
  }
  return error;
}

TEST(VectorMath, KeepsItsAccuracy) {
  EXPECT_LE(worst(exp_row, std::exp, -60, 85), 4e-7);
  EXPECT_LE(worst(tanh_row, std::tanh, -12, 12), 4e-7);
  EXPECT_LE(worst(erf_row, std::erf, -6, 6), 4e-7);
  EXPECT_LE(worst(log_row, std::log, 1e-3, 0.99), 4e-7);
  EXPECT_LE(worst(log_row, std::log, 1.01, 1e6), 4e-7);
  EXPECT_LE(worst(
                softplus_row, [](double v) { return std::log1p(std::exp(v)); }, -60, 80),
            4e-7);
  // Near multiples of pi the error is relative to 1.
  for (const auto& [row, exact] : {std::pair<Row, double (*)(double)>{sin_row, std::sin},
                                   std::pair<Row, double (*)(double)>{cos_row, std::cos}}) {
    for (const float far : {1.0f, 100.0f, 8000.0f, 1e6f, 1e30f}) {
      std::vector<float> x(1000);
      for (size_t i = 0; i < x.size(); ++i) x[i] = far * (static_cast<float>(i) / 500.0f - 1.0f);
      std::vector<float> y(x.size());
      row(x.data(), y.data(), static_cast<int64_t>(x.size()));
      for (size_t i = 0; i < x.size(); ++i) {
        EXPECT_NEAR(y[i], exact(static_cast<double>(x[i])), 3e-7) << x[i];
      }
    }
  }
}

TEST(VectorMath, SpecialNumbers) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x{0.0f, -0.0f, kInfinity, -kInfinity, kNan, 1e-42f, -1.0f, 1e38f};
  const auto of = [&](Row row) {
    std::vector<float> y(x.size());
    row(x.data(), y.data(), static_cast<int64_t>(x.size()));
    return y;
  };
  const std::vector<float> log = of(log_row);
  EXPECT_EQ(log[0], -kInfinity);
  EXPECT_EQ(log[1], -kInfinity);
  EXPECT_EQ(log[2], kInfinity);
  EXPECT_TRUE(std::isnan(log[3]) && std::isnan(log[4]) && std::isnan(log[6]));
  EXPECT_NEAR(log[5], std::log(1e-42), 1e-3);
  const std::vector<float> exp = of(exp_row);
  EXPECT_EQ(exp[2], kInfinity);
  EXPECT_EQ(exp[3], 0.0f);
  EXPECT_TRUE(std::isnan(exp[4]));
  const std::vector<float> erf = of(erf_row);
  EXPECT_EQ(erf[2], 1.0f);
  EXPECT_EQ(erf[3], -1.0f);
  EXPECT_TRUE(std::isnan(erf[4]) && std::isnan(of(sin_row)[4]) && std::isnan(of(tanh_row)[4]));
  EXPECT_TRUE(std::isnan(of(sin_row)[2]) && std::isnan(of(cos_row)[3]));
  EXPECT_EQ(of(softplus_row)[2], kInfinity);
  EXPECT_EQ(of(softplus_row)[3], 0.0f);
  EXPECT_EQ(of(softplus_row)[7], 1e38f);
  EXPECT_EQ(of(mish_row)[7], 1e38f);
}

}  // namespace
}  // namespace fettle
