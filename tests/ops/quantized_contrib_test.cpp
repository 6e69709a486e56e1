// Quantized operators of com.microsoft by hand; tests/crosscheck/contrib_quantized_ops.py compares
// them with ONNX Runtime.
#include <gtest/gtest.h>

#include "ir/error.h"
#include "ops/run_operator.h"
#include "ops/run_text.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::DataType;
using ir::Tensor;
using Numbers = std::vector<double>;

const Tensor kOmitted;

Operator contrib(std::string name, std::vector<Attribute> attributes = {}, size_t outputs = 1) {
  return {std::move(name), 1, std::move(attributes), outputs, "com.microsoft"};
}

Tensor bytes(ir::Dims dims, std::vector<uint8_t> values) {
  return Tensor::of(std::move(dims), values);
}
Tensor signed_bytes(ir::Dims dims, std::vector<int8_t> values) {
  return Tensor::of(std::move(dims), values);
}
Tensor floats(ir::Dims dims, std::vector<float> values) {
  return Tensor::of(std::move(dims), values);
}
Tensor filled(ir::Dims dims, float value) {
  Tensor t(DataType::kFloat, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = value;
  return t;
}
Tensor scale(float value) {
  return Tensor::scalar(value);
}
Tensor zero(uint8_t value) {
  return Tensor::scalar(value);
}
Tensor signed_zero(int8_t value) {
  return Tensor::scalar(value);
}
// A tensor of 4-bit codes, two per byte.
Tensor nibbles(DataType type, ir::Dims dims, const std::vector<uint8_t>& packed) {
  Tensor t(type, std::move(dims));
  EXPECT_EQ(t.byte_size(), packed.size());
  std::copy_n(reinterpret_cast<const std::byte*>(packed.data()), t.byte_size(), t.mutable_bytes());
  return t;
}

Numbers run(Operator op, const std::vector<Tensor>& inputs) {
  return numbers(run_operator(std::move(op), inputs).at(0));
}
void expect_refused(Operator op, const std::vector<Tensor>& inputs) {
  const std::string name = op.name;
  EXPECT_EQ(error_of([&] { run_operator(std::move(op), inputs); }), ErrorCode::kBadInput) << name;
}

ops::ValueFacts facts(DataType type, ir::Shape shape) {
  return tensor_facts(type, std::move(shape));
}
std::string inferred(Operator op, const std::vector<ops::ValueFacts>& inputs) {
  return ir::to_string(infer_operator(std::move(op), inputs).at(0).type);
}
ir::Dim named(const char* name) {
  return ir::Dim::named(name);
}
ir::Dim of(int64_t value) {
  return ir::Dim::of(value);
}
const ops::ValueFacts kScaleFacts = tensor_facts(DataType::kFloat, ir::Shape{});
const ops::ValueFacts kZeroFacts = tensor_facts(DataType::kUint8, ir::Shape{});

TEST(QLinearSigmoid, MapsEveryCode) {
  EXPECT_EQ(run(contrib("QLinearSigmoid"),
                {bytes({3}, {128, 0, 255}), scale(0.1f), zero(128), scale(1 / 256.0f), zero(0)}),
            (Numbers{128, 0, 255}));
  expect_refused(contrib("QLinearSigmoid"), {floats({1}, {1}), scale(1), kOmitted, scale(1)});
  expect_refused(contrib("QLinearSigmoid"),
                 {bytes({1}, {1}), scale(1), signed_zero(0), scale(1), zero(0)});
  expect_refused(contrib("QLinearSigmoid"),
                 {bytes({2}, {1, 2}), floats({2}, {1, 2}), zero(0), scale(1), zero(0)});
}

TEST(QLinearLeakyRelu, NegativeNumbersShrink) {
  EXPECT_EQ(run(contrib("QLinearLeakyRelu", with(Attribute("alpha", 0.25f))),
                {signed_bytes({2}, {-4, 3}), scale(0.5f), kOmitted, scale(0.25f), signed_zero(1)}),
            (Numbers{-1, 7}));
}

TEST(QLinearSoftmax, CountsStepsOfOneOverY) {
  const std::vector<Tensor> operands = {bytes({1, 3}, {10, 20, 30}), scale(0.1f), zero(7),
                                        scale(1 / 256.0f), zero(0)};
  EXPECT_EQ(run(contrib("QLinearSoftmax", with(Attribute("opset", 13))), operands),
            (Numbers{23, 63, 170}));
  // Up to opset 12 the axes from `axis` on are one.
  EXPECT_EQ(run(contrib("QLinearSoftmax", with(Attribute("opset", 12), Attribute("axis", 0))),
                {signed_bytes({2, 2}, {5, 5, 5, 5}), scale(1), kOmitted, scale(0.01f),
                 signed_zero(-100)}),
            (Numbers{-75, -75, -75, -75}));
  expect_refused(contrib("QLinearSoftmax"), operands);
}

TEST(QLinearConcat, RequantizesEachPart) {
  const auto axis = [](int64_t a) { return with(Attribute("axis", a)); };
  const Tensor a = bytes({2}, {2, 4});
  const Tensor b = bytes({1}, {7});
  EXPECT_EQ(run(contrib("QLinearConcat", axis(0)),
                {scale(1), zero(0), a, scale(0.5f), zero(0), b, scale(1), zero(0)}),
            (Numbers{1, 2, 7}));
  expect_refused(contrib("QLinearConcat", axis(0)), {scale(1), zero(0), a, scale(1)});
  expect_refused(
      contrib("QLinearConcat", axis(0)),
      {scale(1), zero(0), a, scale(1), zero(0), signed_bytes({1}, {1}), scale(1), signed_zero(0)});
  expect_refused(contrib("QLinearConcat"), {scale(1), zero(0), a, scale(1), zero(0)});
  const auto part = [](const char* rows) { return facts(DataType::kUint8, {named(rows), of(3)}); };
  EXPECT_EQ(
      inferred(contrib("QLinearConcat", axis(0)), {kScaleFacts, kZeroFacts, part("N"), kScaleFacts,
                                                   kZeroFacts, part("N"), kScaleFacts, kZeroFacts}),
      "tensor(uint8)[N*2, 3]");
}

TEST(QLinearWhere, RequantizesBothSides) {
  Tensor condition(DataType::kBool, {2, 1});
  condition.mutable_bytes()[0] = std::byte{1};
  condition.mutable_bytes()[1] = std::byte{0};
  EXPECT_EQ(run(contrib("QLinearWhere"), {condition, bytes({2}, {10, 20}), scale(0.5f), zero(0),
                                          bytes({1}, {9}), scale(2), zero(8), scale(1), zero(1)}),
            (Numbers{6, 11, 3, 3}));
  EXPECT_EQ(inferred(contrib("QLinearWhere"),
                     {facts(DataType::kBool, {named("N"), of(1)}), facts(DataType::kInt8, {of(4)}),
                      kScaleFacts, kZeroFacts, facts(DataType::kInt8, {of(1), of(1)}), kScaleFacts,
                      kZeroFacts, kScaleFacts, kZeroFacts}),
            "tensor(int8)[N, 4]");
}

TEST(QLinearAveragePool, AddsTheZeroPointBeforeRounding) {
  const Tensor x = bytes({1, 2, 2, 1}, {1, 2, 3, 4});
  const auto pool = [](std::vector<Attribute> more) {
    more.push_back(Attribute("kernel_shape", Longs{2, 2}));
    more.push_back(Attribute("channels_last", 1));
    return contrib("QLinearAveragePool", std::move(more));
  };
  // 2.5 + 1 goes to 4; 2.5 alone would go to 2.
  EXPECT_EQ(run(pool({}), {x, scale(1), zero(0), scale(1), zero(1)}), (Numbers{4}));
  EXPECT_EQ(run(pool(with(Attribute("pads", Longs{1, 1, 0, 0}))),
                {x, scale(1), kOmitted, scale(0.5f), zero(0)}),
            (Numbers{2, 3, 4, 5}));
  EXPECT_EQ(run(pool(with(Attribute("pads", Longs{1, 1, 0, 0}), Attribute("count_include_pad", 1))),
                {x, scale(1), kOmitted, scale(0.25f), zero(0)}),
            (Numbers{1, 3, 4, 10}));
  expect_refused(pool({}), {bytes({2, 2}, {1, 2, 3, 4}), scale(1), zero(0), scale(1), zero(1)});
  EXPECT_EQ(inferred(pool({}), {facts(DataType::kInt8, {named("N"), named("H"), of(5), of(3)}),
                                kScaleFacts, kZeroFacts, kScaleFacts, kZeroFacts}),
            "tensor(int8)[N, H-1, 4, 3]");
}

TEST(QLinearGlobalAveragePool, BothLayouts) {
  const auto last = [](int64_t value) { return with(Attribute("channels_last", value)); };
  const std::vector<Tensor> rest = {scale(1), zero(1), scale(0.5f), zero(2)};
  const auto with_x = [&](Tensor x) {
    std::vector<Tensor> operands = rest;
    operands.insert(operands.begin(), std::move(x));
    return operands;
  };
  EXPECT_EQ(
      run(contrib("QLinearGlobalAveragePool", last(1)), with_x(bytes({1, 2, 1, 2}, {2, 3, 4, 6}))),
      (Numbers{6, 9}));
  EXPECT_EQ(
      run(contrib("QLinearGlobalAveragePool", last(0)), with_x(bytes({1, 2, 1, 2}, {2, 4, 3, 6}))),
      (Numbers{6, 9}));
  expect_refused(contrib("QLinearGlobalAveragePool"), with_x(bytes({1, 2, 0, 2}, {})));
  expect_refused(contrib("QLinearGlobalAveragePool"), with_x(bytes({2, 2}, {1, 2, 3, 4})));
}

TEST(ContribQLinearConv, ChannelsLastKeepsTheWeightsLayout) {
  const auto op = [] { return contrib("QLinearConv", with(Attribute("channels_last", 1))); };
  // Two pixels of two channels; y = x0 + 2 x1.
  EXPECT_EQ(
      run(op(), {bytes({1, 1, 2, 2}, {1, 2, 3, 4}), scale(1), zero(0),
                 signed_bytes({1, 2, 1, 1}, {1, 2}), scale(1), signed_zero(0), scale(1), zero(10)}),
      (Numbers{15, 21}));
  EXPECT_EQ(inferred(op(), {facts(DataType::kUint8, {named("N"), of(5), of(6), of(2)}), kScaleFacts,
                            kZeroFacts, facts(DataType::kInt8, {of(4), of(2), of(3), of(3)}),
                            kScaleFacts, kZeroFacts, kScaleFacts, kZeroFacts}),
            "tensor(uint8)[N, 3, 4, 4]");
}

Operator nbits(int64_t bits, int64_t k = 17, int64_t block = 16) {
  return contrib("MatMulNBits", with(Attribute("N", 1), Attribute("K", k), Attribute("bits", bits),
                                     Attribute("block_size", block)));
}

// Sixteen codes 9, then one code 10.
Tensor four_bit_weight() {
  std::vector<uint8_t> packed(16, 0);
  std::fill_n(packed.begin(), 8, uint8_t{0x99});
  packed[8] = 0xFA;  // the upper half lies beyond K
  return bytes({1, 2, 8}, packed);
}

TEST(MatMulNBits, ZeroPointsAndGroups) {
  const Tensor a = filled({1, 17}, 1);
  const Tensor b = four_bit_weight();
  const Tensor scales = floats({1, 2}, {2, 0.5f});
  EXPECT_EQ(run(nbits(4), {a, b, scales}), (Numbers{33}));
  EXPECT_EQ(run(nbits(4), {a, b, scales, kOmitted, kOmitted, floats({1}, {1})}), (Numbers{34}));
  EXPECT_EQ(run(nbits(4), {a, b, scales, bytes({1, 1}, {0x97})}), (Numbers{64.5}));
  EXPECT_EQ(run(nbits(4), {a, b, scales, floats({2}, {8.5f, 0})}), (Numbers{21}));
  const Tensor groups = Tensor::of<int32_t>({17}, std::vector<int32_t>(17, 1));
  EXPECT_EQ(run(nbits(4), {a, b, scales, kOmitted, groups}), (Numbers{9}));
  const Tensor eight = bytes({1, 1, 16}, {129, 126, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(run(nbits(8, 2), {floats({2}, {1, 10}), eight, floats({1}, {3})}), (Numbers{-57}));
  const Tensor two = bytes({1, 1, 4}, {0b1101, 0, 0, 0});
  EXPECT_EQ(run(nbits(2, 2), {floats({2}, {1, 10}), two, floats({1}, {1})}), (Numbers{9}));
}

TEST(MatMulNBits, Refusals) {
  const Tensor a = filled({1, 17}, 1);
  const Tensor b = four_bit_weight();
  const Tensor scales = floats({1, 2}, {2, 0.5f});
  expect_refused(nbits(3), {a, b, scales});
  expect_refused(nbits(4, 17, 24), {a, b, scales});
  expect_refused(nbits(4, 40), {a, b, scales});
  expect_refused(nbits(4, 18), {a, b, scales});
  expect_refused(nbits(4), {a, b, floats({1}, {2})});
  expect_refused(nbits(4), {a, b, scales, bytes({1, 2}, {1, 2})});
  expect_refused(nbits(4),
                 {a, b, scales, kOmitted,
                  Tensor::of<int32_t>({17}, {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})});
  expect_refused(nbits(4), {a, b, scales, kOmitted, kOmitted, floats({2}, {1, 2})});
  EXPECT_EQ(inferred(nbits(4), {facts(DataType::kFloat16, {named("N"), named("S"), of(17)})}),
            "tensor(float16)[N, S, 1]");
}

TEST(GatherBlockQuantized, PackedAndNarrowTypes) {
  const auto op = [](int64_t bits = 4) {
    return contrib("GatherBlockQuantized",
                   with(Attribute("block_size", 16), Attribute("bits", bits)));
  };
  const Tensor indices = Tensor::of<int64_t>({3}, {1, -2, 5});
  const Tensor scales = floats({2, 1}, {0.5f, 2});
  // An index beyond the axis gives zeros.
  EXPECT_EQ(run(op(), {nibbles(DataType::kUint4, {2, 2}, {0x21, 0x43}), indices, scales}),
            (Numbers{6, 8, 0.5, 1, 0, 0}));
  EXPECT_EQ(run(op(), {nibbles(DataType::kInt4, {2, 2}, {0x2F, 0x43}), indices, scales,
                       nibbles(DataType::kInt4, {2, 1}, {0xE1})}),
            (Numbers{10, 12, -1, 0.5, 0, 0}));
  EXPECT_EQ(run(op(), {bytes({2, 1}, {0x21, 0x43}), indices, scales}),
            (Numbers{-10, -8, -3.5, -3, 0, 0}));
  EXPECT_EQ(run(op(), {bytes({2, 1}, {0x21, 0x43}), indices, scales, bytes({2, 1}, {1, 3})}),
            (Numbers{0, 2, 0, 0.5, 0, 0}));
  EXPECT_EQ(run(op(8), {bytes({2, 2}, {129, 128, 126, 0}), Tensor::scalar<int32_t>(0), scales}),
            (Numbers{0.5, 0}));
  expect_refused(op(3), {bytes({2, 1}, {1, 2}), indices, scales});
  expect_refused(op(), {bytes({2, 1}, {1, 2}), indices, floats({1, 1}, {1})});
  expect_refused(op(), {bytes({2, 1}, {1, 2}), floats({1}, {0}), scales});
  expect_refused(op(), {signed_bytes({2, 1}, {1, 2}), indices, scales});
  EXPECT_EQ(inferred(op(), {facts(DataType::kUint8, {of(9), named("E")}),
                            facts(DataType::kInt64, {named("B"), of(2)}),
                            facts(DataType::kFloat16, {of(9), of(1)})}),
            "tensor(float16)[B, 2, E*2]");
}

TEST(GatherBlockQuantized, SmallFloatsShareScales) {
  Tensor data(DataType::kFloat8E4M3FN, {2, 2});
  for (size_t i = 0; i < 4; ++i) data.mutable_bytes()[i] = std::byte(0x38 + 8 * i);  // 1, 2, 4, 8
  const auto op = [] { return contrib("GatherBlockQuantized", with(Attribute("block_size", 0))); };
  EXPECT_EQ(run(op(), {data, Tensor::of<int64_t>({1}, {1}), floats({1, 1}, {0.5f})}),
            (Numbers{2, 4}));
  expect_refused(op(), {data, Tensor::of<int64_t>({1}, {1}), floats({1, 1}, {1}), data});
}

// Values of ONNX Runtime 1.31.
TEST(DynamicQuantizeLstm, StatesAreQuantizedAtEveryStep) {
  const Tensor x = floats({2, 1, 2}, {1, -1, 0.5f, 2});
  const Tensor w = signed_bytes({1, 2, 4}, {-8, -7, -6, -5, 0, 1, 2, 3});
  const Tensor r = signed_bytes({1, 1, 4}, {10, -20, 30, 40});
  const Tensor none = signed_bytes({1}, {0});
  const std::vector<Tensor> operands = {x,
                                        w,
                                        r,
                                        kOmitted,
                                        kOmitted,
                                        kOmitted,
                                        kOmitted,
                                        kOmitted,
                                        floats({1}, {0.1f}),
                                        none,
                                        floats({1}, {0.05f}),
                                        none};
  const auto op = [] {
    return contrib("DynamicQuantizeLSTM", with(Attribute("hidden_size", 1)), 3);
  };
  const auto y = run_operator(op(), operands);
  EXPECT_EQ(y[0].dims(), (ir::Dims{2, 1, 1, 1}));
  EXPECT_NEAR(numbers(y[0])[0], -0.06293780356645584, 1e-6);
  EXPECT_NEAR(numbers(y[0])[1], -0.007306248415261507, 1e-6);
  EXPECT_EQ(numbers(y[1])[0], numbers(y[0])[1]);
  EXPECT_NEAR(numbers(y[2])[0], -0.015245534479618073, 1e-6);
  for (const auto& [operand, tensor] :
       std::vector<std::pair<size_t, Tensor>>{{0, floats({2, 2}, {1, 2, 3, 4})},
                                              {1, signed_bytes({1, 1, 4}, {1, 2, 3, 4})},
                                              {4, Tensor::of<int32_t>({1}, {3})},
                                              {9, bytes({1}, {0})},
                                              {10, floats({2}, {1, 1})}}) {
    std::vector<Tensor> broken = operands;
    broken[operand] = tensor;
    expect_refused(op(), broken);
  }
}

TEST(MatMulIntegerToFloat, ResultHasTheScalesType) {
  const auto y =
      run_operator(contrib("MatMulIntegerToFloat"),
                   {bytes({1, 2}, {3, 4}), bytes({2, 1}, {5, 6}), half_tensor({}, {0.5f}),
                    half_tensor({}, {0.25f}), zero(1), kOmitted, half_tensor({1}, {1})});
  EXPECT_EQ(y[0].type(), DataType::kFloat16);
  EXPECT_EQ(numbers(y[0]), (Numbers{4.5}));  // (2 * 5 + 3 * 6) / 8 + 1
}

TEST(ContribQuantizeLinear, Float16IsDividedInFloat32) {
  const Tensor x = half_tensor({1}, {-2.978515625f});
  const Tensor step = half_tensor({}, {0.0009217262268066406f});
  EXPECT_EQ(run(contrib("QuantizeLinear"), {x, step, Tensor::scalar<int16_t>(28298)}),
            (Numbers{25067}));
}

}  // namespace
}  // namespace fettle::test
