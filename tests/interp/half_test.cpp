// float16 and bfloat16: vector conversions against those of single numbers, and graphs whose values
// stay in float32 between steps against reference kernels, bit by bit where results are exact.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "interp/half_convert.h"
#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

// Every number of the narrow type, and floats around the middle between neighbors.
template <typename Half>
std::vector<float> interesting() {
  std::vector<float> values;
  for (uint32_t bits = 0; bits < 0x10000u; ++bits) {
    Half h;
    h.bits = static_cast<uint16_t>(bits);
    const auto wide = std::bit_cast<uint32_t>(static_cast<float>(h));
    for (const uint32_t step : {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
      values.push_back(std::bit_cast<float>(wide + step));
    }
  }
  return values;
}

template <typename Half>
void expect_same_rounding() {
  const std::vector<float> x = interesting<Half>();
  const auto n = static_cast<int64_t>(x.size());
  std::vector<Half> narrow(x.size());
  std::vector<float> wide(x.size());
  std::vector<float> rounded(x.size());
  interp::narrow_row(x.data(), narrow.data(), n);
  interp::widen_row(narrow.data(), wide.data(), n);
  interp::round_row<Half>(x.data(), rounded.data(), n);
  for (size_t i = 0; i < x.size(); ++i) {
    const Half expected(x[i]);
    ASSERT_EQ(narrow[i].bits, expected.bits) << std::bit_cast<uint32_t>(x[i]);
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(expected));
    ASSERT_EQ(std::bit_cast<uint32_t>(wide[i]), bits) << std::bit_cast<uint32_t>(x[i]);
    ASSERT_EQ(std::bit_cast<uint32_t>(rounded[i]), bits) << std::bit_cast<uint32_t>(x[i]);
  }
}

TEST(HalfConversion, RoundsFloat16AsSingleNumbers) {
  expect_same_rounding<ir::Float16>();
}

TEST(HalfConversion, RoundsBfloat16AsSingleNumbers) {
  expect_same_rounding<ir::Bfloat16>();
}

TEST(HalfConversion, ShortRowsStayWithinBounds) {
  for (int64_t n = 0; n < 40; ++n) {
    const std::vector<float> x(static_cast<size_t>(n), 1.0009765f);
    std::vector<ir::Float16> y(static_cast<size_t>(n) + 1, ir::Float16(7.0f));
    std::vector<float> z(static_cast<size_t>(n) + 1, 7.0f);
    interp::narrow_row(x.data(), y.data(), n);
    interp::widen_row(y.data(), z.data(), n);
    EXPECT_EQ(static_cast<float>(y.back()), 7.0f);
    EXPECT_EQ(z.back(), 7.0f);
  }
}

struct Case {
  std::string name;
  std::string text;  // a graph; TYPE stands for the number of the narrow type
};

class HalfGraphs : public testing::TestWithParam<Case> {};

// The sums are of small integers, which both types hold: rounding makes no difference, order
// neither.
TEST_P(HalfGraphs, MatchTheReference) {
  for (const std::string type : {"10", "16"}) {
    std::string text = GetParam().text;
    for (size_t at = text.find("TYPE"); at != std::string::npos; at = text.find("TYPE")) {
      text.replace(at, 4, type);
    }
    const ir::Model model = test::parse_text_graph(text, 22);
    test::expect_accelerated_matches(model, 3, 1e-5);
  }
}

const std::string kHead =
    "g (float[2,3,8,7] f) => (float z) { r = Round(f) x = Cast <to = TYPE> (r) ";
const std::string kConv =
    "o = Constant <value_ints = [4, 3, 3, 3]> () "
    "q = ConstantOfShape <value = float[1] {1.0}> (o) w = Cast <to = TYPE> (q) "
    "y = Conv <pads = [1, 1, 1, 1]> (x, w) ";

std::string case_name(const testing::TestParamInfo<Case>& tested) {
  return tested.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Chains, HalfGraphs,
    testing::Values(
        Case{"read_twice", kHead + "a = Abs(x) b = Neg(x) c = Mul(a, b) d = Add(c, a) "
                                   "z = Cast <to = 1> (d) }"},
        Case{"convolution", kHead + kConv +
                                "a = Relu(y) b = MaxPool <kernel_shape = [2, 2]> (a) "
                                "z = Cast <to = 1> (b) }"},
        Case{"concatenated", kHead + kConv +
                                 "a = Relu(y) b = Concat <axis = 1> (a, y) "
                                 "z = Cast <to = 1> (b) }"},
        Case{"concatenated_with_input", kHead + kConv +
                                            "b = Concat <axis = 1> (x, y) "
                                            "z = Cast <to = 1> (b) }"},
        Case{"moved", kHead + kConv +
                          "s = Constant <value_ints = [2, -1]> () b = Reshape(y, s) "
                          "t = Transpose(b) u = Neg(t) z = Cast <to = 1> (u) }"},
        Case{"split", kHead + kConv +
                          "a, b = Split <axis = 1, num_outputs = 2> (y) "
                          "c = Sub(a, b) z = Cast <to = 1> (c) }"},
        Case{"passed_through", kHead + kConv +
                                   "a = Identity(y) b = Relu(y) c = Add(a, b) "
                                   "z = Cast <to = 1> (c) }"},
        Case{"compared", kHead + "a = Neg(x) b = Greater(a, x) z = Cast <to = 1> (b) }"},
        Case{"indices", kHead + "a = Neg(x) b = ArgMax <axis = 1> (a) z = Cast <to = 1> (b) }"},
        Case{"reference_between", kHead + "l = Constant <value_ints = [2, 3]> () "
                                          "a = Neg(x) b = ReverseSequence <batch_axis = 0, "
                                          "time_axis = 1> (a, l) c = Abs(b) "
                                          "z = Cast <to = 1> (c) }"}),
    case_name);

}  // namespace
}  // namespace fettle
