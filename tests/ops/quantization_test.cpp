#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "ops/requantize.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::DataType;
using ir::Tensor;
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor floats(ir::Dims dims, Floats values) {
  return Tensor::of<float>(std::move(dims), values);
}

Tensor quantize(std::vector<Attribute> attributes, const std::vector<Tensor>& inputs,
                int64_t opset = 25) {
  return run_operator(
      {.name = "QuantizeLinear", .opset = opset, .attributes = std::move(attributes)}, inputs)[0];
}
Tensor dequantize(std::vector<Attribute> attributes, const std::vector<Tensor>& inputs,
                  int64_t opset = 25) {
  return run_operator(
      {.name = "DequantizeLinear", .opset = opset, .attributes = std::move(attributes)}, inputs)[0];
}

TEST(QuantizeLinear, TiesToEvenAndSaturates) {
  const Tensor x =
      floats({11}, {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 300, -300, kInf, -kInf, kNan, -0.0f});
  const Tensor one = floats({}, {1});
  EXPECT_EQ(numbers(quantize({}, {x, one, Tensor::scalar<int8_t>(0)})),
            (std::vector<double>{0, 2, 2, 0, -2, 127, -128, 127, -128, -128, 0}));
  EXPECT_EQ(numbers(quantize({}, {x, one})),
            (std::vector<double>{0, 2, 2, 0, 0, 255, 0, 255, 0, 0, 0}));
  // Rounding comes before the zero point is added: 0.5 goes to 0, not 3.5 to 4.
  EXPECT_EQ(numbers(quantize({}, {floats({1}, {0.5f}), one, Tensor::scalar<uint8_t>(3)}))[0], 3);
}

TEST(QuantizeLinear, NarrowAndWideTypes) {
  const Tensor x = floats({5}, {-100, -1, 0.6f, 1, 100});
  const Tensor one = floats({}, {1});
  const auto as = [&](DataType type) {
    return numbers(quantize(with(Attribute("output_dtype", static_cast<int64_t>(type))), {x, one}));
  };
  EXPECT_EQ(as(DataType::kInt4), (std::vector<double>{-8, -1, 1, 1, 7}));
  EXPECT_EQ(as(DataType::kUint4), (std::vector<double>{0, 0, 1, 1, 15}));
  EXPECT_EQ(as(DataType::kInt2), (std::vector<double>{-2, -1, 1, 1, 1}));
  EXPECT_EQ(as(DataType::kUint16), (std::vector<double>{0, 0, 1, 1, 100}));
  EXPECT_EQ(as(DataType::kFloat8E4M3FN), (std::vector<double>{-96, -1, 0.625, 1, 96}));
  EXPECT_EQ(as(DataType::kFloat4E2M1), (std::vector<double>{-6, -1, 0.5, 1, 6}));
}

TEST(QuantizeLinear, DivisionPrecisionIsThatOfTheScale) {
  // 38.25 / 0.30004883 = 127.48; in float16 that is 127.5, which rounds to 128.
  const Tensor x = half_tensor({1}, {38.25f});
  const Tensor scale = half_tensor({}, {0.3f});
  EXPECT_EQ(numbers(quantize({}, {x, scale}))[0], 128);
  EXPECT_EQ(numbers(quantize(with(Attribute("precision", 1)), {x, scale}))[0], 127);
}

TEST(QuantizeLinear, PerAxisAndBlockedScales) {
  const Tensor x = floats({2, 3}, {2, 4, 6, 2, 4, 6});
  EXPECT_EQ(numbers(quantize(with(Attribute("axis", -2)), {x, floats({2}, {1, 2})})),
            (std::vector<double>{2, 4, 6, 1, 2, 3}));
  EXPECT_EQ(numbers(quantize({}, {x, floats({3}, {1, 2, 3})})),
            (std::vector<double>{2, 2, 2, 2, 2, 2}));
  EXPECT_EQ(numbers(quantize(
                with(Attribute("axis", 1), Attribute("block_size", 2)),
                {x, floats({2, 2}, {1, 3, 2, 1}), Tensor::of<uint8_t>({2, 2}, {0, 0, 7, 0})})),
            (std::vector<double>{2, 4, 2, 8, 9, 6}));
}

TEST(DequantizeLinear, BlockedAlongAnInnerAxis) {
  const Tensor x = Tensor::of<int8_t>({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor y =
      dequantize(with(Attribute("axis", 0), Attribute("block_size", 2)),
                 {x, floats({2, 2}, {1, 10, 100, 1000}), Tensor::of<int8_t>({2, 2}, {0, 1, 2, 3})});
  EXPECT_EQ(elements<float>(y), (Floats{1, 10, 3, 30, 300, 3000}));
}

TEST(DequantizeLinear, OutputType) {
  const Tensor x = Tensor::of<int8_t>({1}, {100});
  EXPECT_EQ(dequantize({}, {x, half_tensor({}, {0.5f})}).type(), DataType::kFloat16);
  EXPECT_EQ(dequantize(with(Attribute("output_dtype", 1)), {x, half_tensor({}, {0.5f})}).type(),
            DataType::kFloat);
  EXPECT_EQ(elements<float>(dequantize({}, {Tensor::of<int32_t>({1}, {-7}), floats({}, {0.5f})})),
            Floats{-3.5});
}

TEST(Quantization, RefusesWrongParameters) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THROW(quantize({}, {x, floats({2}, {1, 1})}), Error);
  EXPECT_THROW(quantize(with(Attribute("axis", 2)), {x, floats({3}, {1, 1, 1})}), Error);
  EXPECT_THROW(quantize({}, {x, floats({}, {1}), Tensor::of<uint8_t>({3}, {1, 1, 1})}), Error);
  EXPECT_THROW(quantize(with(Attribute("block_size", 2)), {x, floats({2, 3}, Floats(6, 1))}),
               Error);
  EXPECT_THROW(quantize(with(Attribute("block_size", -1)), {x, floats({2, 3}, Floats(6, 1))}),
               Error);
  EXPECT_THROW(quantize(with(Attribute("output_dtype", 99)), {x, floats({}, {1})}), Error);
  EXPECT_THROW(quantize({}, {x, Tensor::scalar<int64_t>(1)}), Error);
  EXPECT_THROW(dequantize({}, {x, floats({}, {1})}), Error);
}

TEST(DynamicQuantizeLinear, RangeHoldsZero) {
  const auto run = [](Floats values) {
    const auto size = static_cast<int64_t>(values.size());
    return run_operator({.name = "DynamicQuantizeLinear", .outputs = 3},
                        {floats({size}, std::move(values))});
  };
  const auto mixed = run({-1, 0, 1.55f});
  EXPECT_FLOAT_EQ(elements<float>(mixed[1])[0], 0.01f);
  EXPECT_EQ(numbers(mixed[2])[0], 100);
  EXPECT_EQ(numbers(mixed[0]), (std::vector<double>{0, 100, 255}));
  const auto positive = run({1, 2});  // widened to 0..2
  EXPECT_EQ(numbers(positive[2])[0], 0);
  EXPECT_EQ(numbers(run({0, 0})[0]), (std::vector<double>{0, 0}));
  EXPECT_EQ(elements<float>(run({})[1]), Floats{1});
}

TEST(Requantize, MatchesNearbyintOverTheRange) {
  const ops::QuantRange range = ops::quant_range(DataType::kUint16);
  for (int32_t acc = -400000; acc < 70000000; acc += 12347) {
    for (const float factor : {0.001f, 0.0625f, 0.5f}) {
      const double wanted = std::nearbyint(static_cast<float>(acc) * factor) + 1000.0;
      EXPECT_EQ(ops::requantize_one(acc, factor, 1000, range),
                std::min(std::max(wanted, 0.0), 65535.0));
    }
  }
}

TEST(QLinearConv, TiesSaturationAndBias) {
  const auto run = [](std::vector<uint8_t> x, int32_t bias, uint8_t y_zero) {
    const auto n = static_cast<int64_t>(x.size());
    return numbers(run_operator(
        {.name = "QLinearConv"},
        {Tensor::of({1, 1, n}, x), floats({}, {0.5f}), Tensor::scalar<uint8_t>(10),
         Tensor::of<int8_t>({1, 1, 1}, {1}), floats({}, {1}), Tensor::scalar<int8_t>(0),
         floats({}, {1}), Tensor::scalar(y_zero), Tensor::of<int32_t>({1}, {bias})})[0]);
  };
  // (x - 10) / 2, ties to even.
  EXPECT_EQ(run({10, 11, 13, 15, 5}, 0, 100), (std::vector<double>{100, 100, 102, 102, 98}));
  EXPECT_EQ(run({255, 0}, 0, 200), (std::vector<double>{255, 195}));
  EXPECT_EQ(run({10}, -1000, 100), (std::vector<double>{0}));
}

TEST(QLinearConv, AccumulatorWrapsAt32Bits) {
  const auto y = run_operator(
      {.name = "QLinearConv"},
      {Tensor::of<uint8_t>({1, 1, 1}, {255}), floats({}, {1}), Tensor::scalar<uint8_t>(0),
       Tensor::of<int8_t>({1, 1, 1}, {127}), floats({}, {1}), Tensor::scalar<int8_t>(0),
       floats({}, {1}), Tensor::scalar<uint8_t>(0), Tensor::of<int32_t>({1}, {INT32_MAX})})[0];
  EXPECT_EQ(numbers(y)[0], 0);  // INT32_MAX + 32385 is negative
}

TEST(QLinearConv, ScalesPerChannel) {
  const auto y = run_operator(
      {.name = "QLinearConv"},
      {Tensor::of<int8_t>({1, 1, 1}, {8}), floats({1}, {1}), Tensor::scalar<int8_t>(0),
       Tensor::of<int8_t>({2, 1, 1}, {1, 1}), floats({2}, {0.5f, 0.25f}),
       Tensor::of<int8_t>({2}, {0, 0}), floats({}, {1}), Tensor::scalar<int8_t>(-1)})[0];
  EXPECT_EQ(numbers(y), (std::vector<double>{3, 1}));
}

TEST(QLinearMatMul, ScalesPerRowAndColumn) {
  const auto run = [](Tensor a_scale, Tensor b_scale) {
    return numbers(run_operator(
        {.name = "QLinearMatMul", .opset = 21},
        {Tensor::of<int8_t>({2, 1}, {2, 4}), std::move(a_scale), Tensor::scalar<int8_t>(0),
         Tensor::of<int8_t>({1, 2}, {3, 5}), std::move(b_scale), Tensor::scalar<int8_t>(1),
         floats({}, {1}), Tensor::scalar<int8_t>(-8)})[0]);
  };
  EXPECT_EQ(run(floats({}, {1}), floats({}, {1})), (std::vector<double>{-4, 0, 0, 8}));
  EXPECT_EQ(run(floats({2}, {1, 2}), floats({2}, {1, 0.5f})), (std::vector<double>{-4, -4, 8, 8}));
  EXPECT_THROW(run(floats({3}, {1, 1, 1}), floats({}, {1})), Error);
}

TEST(QuantizedContrib, AddMultiplyAndGemm) {
  const std::string domain = "com.microsoft";
  const Tensor zero = Tensor::scalar<uint8_t>(10);
  const auto elementwise = [&](std::string name, float c_scale) {
    return numbers(run_operator(
        {.name = std::move(name), .opset = 1, .domain = domain},
        {Tensor::of<uint8_t>({2}, {12, 20}), floats({}, {1}), zero, Tensor::of<uint8_t>({1}, {13}),
         floats({}, {2}), zero, floats({}, {c_scale}), Tensor::scalar<uint8_t>(5)})[0]);
  };
  EXPECT_EQ(elementwise("QLinearAdd", 2),
            (std::vector<double>{9, 13}));  // (2 + 6) / 2, (10 + 6) / 2
  EXPECT_EQ(elementwise("QLinearMul", 3), (std::vector<double>{9, 25}));  // 2 * 6 / 3, 10 * 6 / 3
  // The odd zero point is added before ties go to even.
  EXPECT_EQ(elementwise("QLinearAdd", 16), (std::vector<double>{6, 6}));   // 8 / 16, 16 / 16
  EXPECT_EQ(elementwise("QLinearMul", 8), (std::vector<double>{6, 12}));  // 12 / 8, 60 / 8
  const auto gemm = run_operator(
      {.name = "QGemm", .opset = 1, .attributes = with(Attribute("transB", 1)), .domain = domain},
      {Tensor::of<uint8_t>({1, 2}, {11, 12}), floats({}, {0.5f}), zero,
       Tensor::of<int8_t>({2, 2}, {1, 2, 3, 4}), floats({2}, {1, 2}),
       Tensor::of<int8_t>({2}, {0, 0}), Tensor::of<int32_t>({2}, {1, 1})})[0];
  EXPECT_EQ(elements<float>(gemm), (Floats{3, 12}));  // (5 + 1) * 0.5, (11 + 1) * 1
}

}  // namespace
}  // namespace fettle::test
