// Traps of the elementwise families: activations, arithmetic, logic, unary functions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Tensor;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor floats(ir::Dims dims, std::vector<float> values) {
  return Tensor::of<float>(std::move(dims), values);
}

std::vector<float> run_floats(Operator op, const std::vector<Tensor>& inputs) {
  return elements<float>(run_operator(std::move(op), inputs)[0]);
}

TEST(Unary, RoundTakesHalvesToEven) {
  EXPECT_EQ(run_floats({"Round", 11}, {floats({6}, {0.5f, 1.5f, 2.5f, -0.5f, -2.5f, 2.51f})}),
            (std::vector<float>{0, 2, 2, 0, -2, 3}));
}

TEST(Unary, LowestIntegerNegatesToItself) {
  const auto lowest = Tensor::of<int8_t>({2}, {-128, 5});
  EXPECT_EQ(elements<int8_t>(run_operator({"Neg", 13}, {lowest})[0]),
            (std::vector<int8_t>{-128, -5}));
  EXPECT_EQ(elements<int8_t>(run_operator({"Abs", 13}, {lowest})[0]),
            (std::vector<int8_t>{-128, 5}));
}

TEST(Unary, SignKeepsNan) {
  const auto y = run_floats({"Sign", 13}, {floats({3}, {-2, 0, kNan})});
  EXPECT_EQ(y[0], -1);
  EXPECT_EQ(y[1], 0);
  EXPECT_TRUE(std::isnan(y[2]));
}

TEST(Unary, HalfIsRoundedToNearest) {
  const auto y = numbers(run_operator({"Exp", 13}, {half_tensor({2}, {1.0f, -9.7f})})[0]);
  EXPECT_EQ(y[0], 2.71875);
  EXPECT_NEAR(y[1], std::exp(-9.703125), 3e-8);  // a subnormal: half a unit is 2^-25
}

TEST(Arithmetic, IntegersWrapAndDivideTowardZero) {
  const auto a = Tensor::of<int32_t>(
      {3}, {std::numeric_limits<int32_t>::max(), -7, std::numeric_limits<int32_t>::min()});
  const auto b = Tensor::of<int32_t>({3}, {1, 2, -1});
  EXPECT_EQ(elements<int32_t>(run_operator({"Add", 14}, {a, b})[0]),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::min(), -5,
                                  std::numeric_limits<int32_t>::max()}));
  EXPECT_EQ(elements<int32_t>(run_operator({"Div", 14}, {a, b})[0]),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::max(), -3,
                                  std::numeric_limits<int32_t>::min()}));
  EXPECT_THROW(run_operator({"Div", 14}, {a, Tensor::scalar<int32_t>(0)}), Error);
  EXPECT_THROW(run_operator({"Mod", 13}, {a, Tensor::scalar<int32_t>(0)}), Error);
  const auto big = Tensor::of<uint16_t>({1}, {65535});
  EXPECT_EQ(elements<uint16_t>(run_operator({"Mul", 14}, {big, big})[0])[0], 1);
}

TEST(Arithmetic, BroadcastsBothWays) {
  const auto a = floats({2, 1, 3}, {0, 1, 2, 10, 11, 12});
  const auto b = floats({2, 1}, {100, 200});
  const Tensor y = run_operator({"Add", 14}, {a, b})[0];
  EXPECT_EQ(y.dims(), (ir::Dims{2, 2, 3}));
  EXPECT_EQ(elements<float>(y),
            (std::vector<float>{100, 101, 102, 200, 201, 202, 110, 111, 112, 210, 211, 212}));
  EXPECT_EQ(run_operator({"Add", 14}, {floats({0, 3}, {}), floats({1, 3}, {1, 2, 3})})[0].dims(),
            (ir::Dims{0, 3}));
  EXPECT_THROW(run_operator({"Add", 14}, {floats({2}, {1, 2}), floats({3}, {1, 2, 3})}), Error);
}

TEST(Arithmetic, LegacyBroadcastAlignsAtAxis) {
  const auto a = floats({2, 3, 1}, {0, 1, 2, 3, 4, 5});
  const auto b = floats({2}, {10, 20});
  EXPECT_EQ(
      run_floats({"Add", 6, with(ir::Attribute("broadcast", 1), ir::Attribute("axis", 0))}, {a, b}),
      (std::vector<float>{10, 11, 12, 23, 24, 25}));
  EXPECT_THROW(run_operator({"Add", 6}, {a, b}), Error);
  EXPECT_THROW(run_operator({"Add", 6, with(ir::Attribute("broadcast", 1))}, {a, b}), Error);
}

TEST(Arithmetic, ModFollowsDivisorOrDividend) {
  const auto a = Tensor::of<int32_t>({4}, {-4, 7, 5, std::numeric_limits<int32_t>::min()});
  const auto b = Tensor::of<int32_t>({4}, {3, -3, 8, -1});
  EXPECT_EQ(elements<int32_t>(run_operator({"Mod", 13}, {a, b})[0]),
            (std::vector<int32_t>{2, -2, 5, 0}));
  EXPECT_EQ(elements<int32_t>(run_operator({"Mod", 13, with(ir::Attribute("fmod", 1))}, {a, b})[0]),
            (std::vector<int32_t>{-1, 1, 5, 0}));
  const auto x = floats({3}, {-4.5f, 1.0f, 0.0f});
  const auto y = floats({3}, {3.0f, -kInf, -2.0f});
  EXPECT_THROW(run_operator({"Mod", 13}, {x, y}), Error);  // fmod=0 on floats is of opset 28
  const auto z = run_floats({"Mod", 28}, {x, y});
  EXPECT_EQ(z[0], 1.5f);
  EXPECT_EQ(z[1], -kInf);
  EXPECT_TRUE(z[2] == 0 && std::signbit(z[2]));
}

TEST(Arithmetic, PowTakesTheTypeOfTheBase) {
  const auto exponents = floats({3}, {2.0f, 0.5f, -1.0f});
  const Tensor truncated =
      run_operator({"Pow", 15}, {Tensor::of<int32_t>({3}, {3, 10, 4}), exponents})[0];
  EXPECT_EQ(elements<int32_t>(truncated), (std::vector<int32_t>{9, 3, 0}));
  const auto integers = Tensor::of<int64_t>({3}, {3, -1, 0});
  EXPECT_EQ(run_floats({"Pow", 15}, {floats({3}, {-2, 4, 0}), integers}),
            (std::vector<float>{-8, 0.25f, 1}));
  const auto wrapped = Tensor::of<int64_t>({2}, {3, -1});
  EXPECT_EQ(
      elements<int64_t>(run_operator({"Pow", 15}, {wrapped, Tensor::of<int32_t>({2}, {40, 7})})[0]),
      (std::vector<int64_t>{int64_t{-6289078614652622815}, -1}));
}

TEST(Arithmetic, ExtremaPropagateNan) {
  const auto a = floats({3}, {kNan, 1, 2});
  const auto b = floats({3}, {0, kNan, 3});
  for (const char* name : {"Max", "Min"}) {
    const auto y = run_floats({name, 13}, {a, b});
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
    EXPECT_EQ(y[2], std::string(name) == "Max" ? 3 : 2);
  }
}

TEST(Arithmetic, MeanAccumulatesInDouble) {
  const float big = 16777216.0f;  // 2^24: big + 1 is not a float
  EXPECT_EQ(run_floats({"Sum", 13}, {floats({1}, {big}), floats({1}, {1}), floats({}, {1})})[0],
            big + 2);
  EXPECT_EQ(run_floats({"Mean", 13}, {floats({1}, {big}), floats({1}, {1}), floats({1}, {1})})[0],
            static_cast<float>((16777216.0 + 2) / 3));
}

TEST(Arithmetic, ShapeContentsAreFollowed) {
  ops::ValueFacts shape = tensor_facts(ir::DataType::kInt64, {ir::Dim::of(2)});
  shape.ints = ops::Ints{ir::Dim::named("N"), ir::Dim::of(6)};
  const Tensor two = Tensor::scalar<int64_t>(2);
  ops::ValueFacts divisor = tensor_facts(ir::DataType::kInt64, {});
  divisor.constant = &two;
  const auto product = infer_operator({"Mul", 14}, {shape, divisor});
  ASSERT_TRUE(product[0].ints.has_value());
  EXPECT_EQ((*product[0].ints)[0].symbol, "N*2");
  EXPECT_EQ((*product[0].ints)[1].value, 12);
  const auto back = infer_operator({"Div", 14}, {product[0], divisor});
  ASSERT_TRUE(back[0].ints.has_value());
  EXPECT_EQ((*back[0].ints)[0].symbol, "N");
}

TEST(Activation, ClipWithMinAboveMaxGivesMax) {
  const auto x = floats({3}, {-10, 1, 10});
  EXPECT_EQ(run_floats({"Clip", 13}, {x, floats({}, {2}), floats({}, {-2})}),
            (std::vector<float>{-2, -2, -2}));
  EXPECT_EQ(run_floats({"Clip", 13}, {x, Tensor(), floats({}, {3})}),
            (std::vector<float>{-10, 1, 3}));
  EXPECT_EQ(run_floats({"Clip", 6, with(ir::Attribute("min", 0.0f))}, {floats({1}, {kInf})})[0],
            std::numeric_limits<float>::max());
  EXPECT_THROW(run_operator({"Clip", 13}, {x, floats({2}, {0, 1})}), Error);
}

TEST(Activation, GeluHasTwoForms) {
  const auto x = floats({1}, {-1.5f});
  EXPECT_FLOAT_EQ(run_floats({"Gelu", 20}, {x})[0], -0.10021080f);
  EXPECT_FLOAT_EQ(run_floats({"Gelu", 20, with(ir::Attribute("approximate", "tanh"))}, {x})[0],
                  -0.10042842f);
  EXPECT_THROW(run_operator({"Gelu", 20, with(ir::Attribute("approximate", "fast"))}, {x}), Error);
}

TEST(Activation, NoOverflowFarOut) {
  const auto x = floats({2}, {1000, -1000});
  EXPECT_EQ(run_floats({"Softplus", 1}, {x}), (std::vector<float>{1000, 0}));
  EXPECT_EQ(run_floats({"Sigmoid", 13}, {x}), (std::vector<float>{1, 0}));
  EXPECT_EQ(run_floats({"Mish", 18}, {x}), (std::vector<float>{1000, 0}));
}

TEST(Activation, PReluSlopeIsPerChannelBeforeVersion7) {
  const auto x = floats({1, 2, 2}, {-1, 2, -3, -4});
  EXPECT_EQ(run_floats({"PRelu", 6}, {x, floats({2}, {10, 100})}),
            (std::vector<float>{-10, 2, -300, -400}));
  EXPECT_EQ(run_floats({"PRelu", 9}, {x, floats({2}, {10, 100})}),
            (std::vector<float>{-10, 2, -30, -400}));
  EXPECT_THROW(run_operator({"PRelu", 9}, {floats({2}, {1, 2}), floats({1, 2}, {1, 2})}), Error);
}

TEST(Logic, EqualComparesStringsAndDimensions) {
  const auto a = Tensor::of_strings({2}, {"a", "b"});
  EXPECT_EQ(booleans(run_operator({"Equal", 19}, {a, Tensor::of_strings({}, {"b"})})[0]),
            (std::vector<bool>{false, true}));
  ops::ValueFacts shape = tensor_facts(ir::DataType::kInt64, {ir::Dim::of(2)});
  shape.ints = ops::Ints{ir::Dim::named("N"), ir::Dim::of(6)};
  const auto equal = infer_operator({"Equal", 19}, {shape, shape});
  EXPECT_EQ(equal[0].type.element, ir::DataType::kBool);
  ASSERT_TRUE(equal[0].ints.has_value());
  EXPECT_EQ((*equal[0].ints)[0].value, 1);
}

TEST(Logic, ShiftsBeyondTheWidth) {
  const auto x = Tensor::of<int8_t>({4}, {-8, -8, 64, 3});
  const auto amount = Tensor::of<int8_t>({4}, {1, 8, 1, -1});
  const auto right =
      run_operator({"BitShift", 28, with(ir::Attribute("direction", "RIGHT"))}, {x, amount});
  EXPECT_EQ(elements<int8_t>(right[0]), (std::vector<int8_t>{-4, -1, 32, 0}));
  const auto left =
      run_operator({"BitShift", 28, with(ir::Attribute("direction", "LEFT"))}, {x, amount});
  EXPECT_EQ(elements<int8_t>(left[0]), (std::vector<int8_t>{-16, 0, -128, 0}));
}

TEST(Logic, ElementTypesMustAgree) {
  EXPECT_THROW(run_operator({"Less", 13}, {floats({}, {1}), Tensor::scalar<int32_t>(1)}), Error);
  EXPECT_THROW(infer_operator({"Less", 13}, {tensor_facts(ir::DataType::kFloat, {}),
                                             tensor_facts(ir::DataType::kInt32, {})}),
               Error);
  EXPECT_THROW(run_operator({"And", 7}, {floats({}, {1}), floats({}, {1})}), Error);
}

}  // namespace
}  // namespace fettle::test
