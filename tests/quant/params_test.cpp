#include "quant/params.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"

namespace fettle::quant {
namespace {

using ir::DataType;
using ir::Tensor;

Tensor floats(ir::Dims dims, std::vector<float> values) {
  return Tensor::of<float>(std::move(dims), values);
}

template <typename T>
std::vector<int> codes(const Tensor& t) {
  const auto d = t.data<T>();
  return {d.begin(), d.end()};
}

TEST(ActivationParams, FollowTheFormulaOfAsymmetricUint8) {
  const QuantParams p = activation_params(-1.0f, 3.0f);
  EXPECT_EQ(p.type, DataType::kUint8);
  EXPECT_FLOAT_EQ(p.scale[0], 4.0f / 255);
  EXPECT_EQ(p.zero_point[0], 64);  // 63.75 rounds to 64
}

TEST(ActivationParams, HoldZeroEvenWhenTheRangeDoesNot) {
  EXPECT_EQ(activation_params(2, 5).zero_point[0], 0);
  EXPECT_FLOAT_EQ(activation_params(2, 5).scale[0], 5.0f / 255);
  EXPECT_EQ(activation_params(-5, -2).zero_point[0], 255);
  EXPECT_FLOAT_EQ(activation_params(-5, -2).scale[0], 5.0f / 255);
}

TEST(ActivationParams, ZeroPointTiesRoundToEven) {
  // -min / scale = 127.5 and 0.5.
  EXPECT_EQ(activation_params(-1, 1).zero_point[0], 128);
  EXPECT_EQ(activation_params(-0.5f, 254.5f).zero_point[0], 0);
}

TEST(ActivationParams, ZeroAndTinyRanges) {
  EXPECT_EQ(activation_params(0, 0), (QuantParams{DataType::kUint8, -1, {1.0f}, {0}}));
  const QuantParams tiny = activation_params(0, std::numeric_limits<float>::denorm_min());
  EXPECT_GE(tiny.scale[0], kSmallestActivationScale);
  const QuantParams huge =
      activation_params(-std::numeric_limits<float>::max(), std::numeric_limits<float>::max());
  EXPECT_TRUE(std::isfinite(huge.scale[0]));
}

TEST(ActivationParams, RejectNonsense) {
  EXPECT_THROW(activation_params(1, 0), Error);
  EXPECT_THROW(activation_params(NAN, 0), Error);
}

TEST(WeightParams, SymmetricPerChannelAndPerTensor) {
  const Tensor w = floats({2, 3}, {0.5f, -1.27f, 0, 2.54f, 1, -1});
  const QuantParams rows = weight_params(w, 0, false);
  EXPECT_FLOAT_EQ(rows.scale[0], 0.01f);
  EXPECT_FLOAT_EQ(rows.scale[1], 0.02f);
  EXPECT_EQ(rows.zero_point, (std::vector<int32_t>{0, 0}));
  const QuantParams columns = weight_params(w, 1, false);
  EXPECT_FLOAT_EQ(columns.scale[0], 2.54f / 127);
  EXPECT_FLOAT_EQ(columns.scale[1], 1.27f / 127);
  EXPECT_FLOAT_EQ(columns.scale[2], 1.0f / 127);
  EXPECT_FLOAT_EQ(weight_params(w, -1, false).scale[0], 0.02f);
}

TEST(WeightParams, ReducedRangeStaysWithin64) {
  const Tensor w = floats({4}, {1, -1, 0.99f, 0.5f});
  const QuantParams p = weight_params(w, -1, true);
  EXPECT_FLOAT_EQ(p.scale[0], 1.0f / 64);
  EXPECT_EQ(codes<int8_t>(quantize_tensor(w, p)), (std::vector<int>{64, -64, 63, 32}));
}

TEST(WeightParams, ChannelOfZerosBorrowsTheLargestScale) {
  const QuantParams p = weight_params(floats({3, 1}, {0, 1.27f, 0.5f}), 0, false);
  EXPECT_FLOAT_EQ(p.scale[0], 0.01f);
  EXPECT_FLOAT_EQ(weight_params(floats({2, 1}, {0, 0}), 0, false).scale[1], 1.0f);
}

TEST(WeightParams, RejectNanAndWrongAxis) {
  EXPECT_THROW(weight_params(floats({2}, {1, NAN}), -1, false), Error);
  EXPECT_THROW(weight_params(floats({2}, {1, 2}), 1, false), Error);
}

TEST(BiasGuard, RaisesOnlyTheChannelsThatOverflow) {
  QuantParams w{DataType::kInt8, 0, {1e-12f, 0.01f}, {0, 0}};
  const std::vector<float> bias = {3.0f, 3.0f};
  EXPECT_EQ(guard_bias_overflow(w, 0.02f, bias), 1);
  EXPECT_FLOAT_EQ(w.scale[1], 0.01f);
  EXPECT_LE(3.0 / (static_cast<double>(w.scale[0]) * 0.02f), kLargestBias * (1 + 1e-6));
  const QuantParams b = bias_params(w, 0.02f);
  const Tensor q = quantize_tensor(floats({2}, bias), b);
  EXPECT_NEAR(q.data<int32_t>()[0], kLargestBias, 200);
  EXPECT_EQ(guard_bias_overflow(w, 0.02f, bias), 0);
}

TEST(BiasGuard, PerTensorLooksAtEveryElement) {
  QuantParams w{DataType::kInt8, -1, {1e-12f}, {0}};
  EXPECT_EQ(guard_bias_overflow(w, 1.0f, std::vector<float>{0.0f, 5.0f, -50.0f}), 1);
  EXPECT_LE(50.0 / w.scale[0], kLargestBias * (1 + 1e-6));
}

TEST(BiasParams, ScaleIsTheProductAndRoundingIsHalfToEvenInDouble) {
  const QuantParams w{DataType::kInt8, 0, {0.5f, 0.25f}, {0, 0}};
  const QuantParams b = bias_params(w, 0.5f);
  EXPECT_EQ(b.type, DataType::kInt32);
  EXPECT_EQ(b.axis, 0);
  EXPECT_EQ(b.scale, (std::vector<float>{0.25f, 0.125f}));
  const Tensor q = quantize_tensor(floats({2}, {0.125f, 0.1875f}), b);  // 0.5 and 1.5
  EXPECT_EQ(codes<int32_t>(q), (std::vector<int>{0, 2}));
}

TEST(BiasPerChannel, ExpandsOneValueAndRejectsOtherCounts) {
  EXPECT_EQ(bias_per_channel(floats({}, {2}), 3), (std::vector<float>{2, 2, 2}));
  EXPECT_THROW(bias_per_channel(floats({2}, {1, 2}), 3), Error);
}

TEST(QuantizeTensor, RoundsHalfToEvenAndSaturates) {
  const QuantParams p{DataType::kUint8, -1, {1.0f}, {10}};
  const Tensor x = floats({7}, {0.5f, 1.5f, 2.5f, -0.5f, -100, 300, -9.4f});
  EXPECT_EQ(codes<uint8_t>(quantize_tensor(x, p)), (std::vector<int>{10, 12, 12, 10, 0, 255, 1}));
  const QuantParams s{DataType::kInt8, -1, {1.0f}, {0}};
  EXPECT_EQ(codes<int8_t>(quantize_tensor(floats({3}, {-500, 500, -2.5f}), s)),
            (std::vector<int>{-127, 127, -2}));
}

TEST(QuantizeTensor, PerAxisUsesTheChannelsScaleInAnyPosition) {
  const Tensor x = floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const QuantParams p{DataType::kInt8, 1, {1.0f, 0.5f}, {0, 0}};
  EXPECT_EQ(codes<int8_t>(quantize_tensor(x, p)), (std::vector<int>{1, 2, 6, 8, 5, 6, 14, 16}));
  const Tensor back = dequantize_tensor(quantize_tensor(x, p), p);
  EXPECT_TRUE(ir::identical(back, x));
}

TEST(QuantizeTensor, RejectsWrongParameters) {
  const Tensor x = floats({2}, {1, 2});
  EXPECT_THROW(quantize_tensor(x, {DataType::kInt8, 0, {1.0f}, {0}}), Error);
  EXPECT_THROW(quantize_tensor(x, {DataType::kInt8, -1, {0.0f}, {0}}), Error);
  EXPECT_THROW(quantize_tensor(x, {DataType::kInt16, -1, {1.0f}, {0}}), Error);
  EXPECT_THROW(quantize_tensor(Tensor::of<int64_t>({1}, {1}), {DataType::kInt8, -1, {1.0f}, {0}}),
               Error);
}

TEST(QuantizeTensor, EmptyTensorsPass) {
  const Tensor x(DataType::kFloat, {0, 3});
  EXPECT_EQ(quantize_tensor(x, weight_params(x, 1, false)).size(), 0);
}

TEST(QuantizeTensor, ErrorIsAtMostHalfAStepInsideTheRange) {
  std::vector<float> values;
  for (int i = 0; i < 1000; ++i) values.push_back(std::sin(static_cast<float>(i)) * 3 + 1);
  const Tensor x = floats({1000}, values);
  const QuantParams p = activation_params(-2, 4);
  const Tensor back = dequantize_tensor(quantize_tensor(x, p), p);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_LE(std::fabs(back.data<float>()[i] - values[i]), 0.5f * p.scale[0] * 1.0001f);
  }
}

}  // namespace
}  // namespace fettle::quant
