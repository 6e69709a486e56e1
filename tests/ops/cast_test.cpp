#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "ops/cast_tensor.h"
#include "ops/dispatch.h"
#include "ops/run_operator.h"
#include "ops/small_float.h"

namespace fettle::test {
namespace {

using ir::DataType;
using ir::Tensor;

Tensor cast(const Tensor& x, DataType to, int saturate = 1) {
  return run_operator(
      {"Cast", 25,
       with(ir::Attribute("to", static_cast<int>(to)), ir::Attribute("saturate", saturate))},
      {x})[0];
}

TEST(Cast, FloatTruncatesAndIntegersKeepLowBits) {
  const auto x = Tensor::of<float>({4}, {-1.9f, 2.9f, 300.0f, std::nanf("")});
  EXPECT_EQ(numbers(cast(x, DataType::kInt32)), (std::vector<double>{-1, 2, 300, 0}));
  EXPECT_EQ(numbers(cast(x, DataType::kUint8)), (std::vector<double>{255, 2, 44, 0}));
  EXPECT_EQ(numbers(cast(Tensor::of<int16_t>({2}, {200, -1}), DataType::kInt8)),
            (std::vector<double>{-56, -1}));
  const auto far = Tensor::of<double>({2}, {1e30, -1e30});
  EXPECT_EQ(elements<int64_t>(cast(far, DataType::kInt64)),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::max(),
                                  std::numeric_limits<int64_t>::min()}));
}

TEST(Cast, BoolIsNonzero) {
  const auto x = Tensor::of<float>({3}, {-0.0f, 0.1f, std::nanf("")});
  EXPECT_EQ(booleans(cast(x, DataType::kBool)), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(numbers(cast(cast(x, DataType::kBool), DataType::kFloat16)),
            (std::vector<double>{0, 1, 1}));
}

TEST(Cast, DoubleToHalfRoundsOnce) {
  // Just above the tie between 1 and 1 + 2^-10: a first rounding to float would lose the excess.
  const double x = 1.0 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(numbers(cast(Tensor::scalar<double>(x), DataType::kFloat16))[0], 1.0 + 0x1p-10);
  EXPECT_EQ(numbers(cast(Tensor::scalar<double>(1e6), DataType::kFloat16))[0],
            std::numeric_limits<double>::infinity());
}

TEST(Cast, StringsBothWays) {
  const auto text = Tensor::of_strings({5}, {"3.14", " -INF", "+inf", "1e-5", "nan"});
  const auto y = numbers(cast(text, DataType::kFloat));
  EXPECT_FLOAT_EQ(static_cast<float>(y[0]), 3.14f);
  EXPECT_EQ(y[1], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(y[2], std::numeric_limits<double>::infinity());
  EXPECT_EQ(static_cast<float>(y[3]), 1e-5f);
  EXPECT_TRUE(std::isnan(y[4]));
  const auto exact = Tensor::of_strings({2}, {"9223372036854775807", "100.5"});
  EXPECT_EQ(elements<int64_t>(cast(exact, DataType::kInt64)),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::max(), 100}));
  EXPECT_THROW(cast(Tensor::of_strings({1}, {"Hello"}), DataType::kFloat), Error);
  const auto written = cast(Tensor::of<float>({2}, {0.1f, -INFINITY}), DataType::kString);
  EXPECT_EQ(written.strings(), (std::vector<std::string>{"0.1", "-INF"}));
}

TEST(Cast, Float8SaturatesOrOverflows) {
  const auto x = Tensor::of<float>({4}, {448.0f, 464.0f, 465.0f, -1e9f});
  EXPECT_EQ(numbers(cast(x, DataType::kFloat8E4M3FN)), (std::vector<double>{448, 448, 448, -448}));
  const auto open = numbers(cast(x, DataType::kFloat8E4M3FN, 0));
  EXPECT_EQ(open[1], 448);  // the tie to the next code goes to the even mantissa
  EXPECT_TRUE(std::isnan(open[2]));
  EXPECT_EQ(numbers(cast(x, DataType::kFloat8E5M2, 0))[3],
            -std::numeric_limits<double>::infinity());
  EXPECT_EQ(ops::encode_float8(DataType::kFloat8E4M3FNUZ, -1e-12, true), 0);  // -0 would be NaN
}

TEST(Cast, PackedIntegersKeepOrderAndWrap) {
  const auto y = cast(Tensor::of<float>({5}, {-9, -8, 7, 8, 1}), DataType::kInt4);
  EXPECT_EQ(numbers(y), (std::vector<double>{7, -8, 7, -8, 1}));
  EXPECT_EQ(y.byte_size(), 3u);
  EXPECT_EQ(static_cast<unsigned>(y.bytes()[2]), 1u);  // the unused nibble is zero
}

// Every code decodes to a value that encodes to the code again.
TEST(SmallFloat, CodesRoundTrip) {
  for (const DataType type : {DataType::kFloat8E4M3FN, DataType::kFloat8E4M3FNUZ,
                              DataType::kFloat8E5M2, DataType::kFloat8E5M2FNUZ}) {
    for (int code = 0; code < 256; ++code) {
      Tensor t(type, {});
      t.mutable_bytes()[0] = static_cast<std::byte>(code);
      const double value = ir::element_as_double(t, 0);
      if (std::isnan(value)) continue;
      EXPECT_EQ(ops::encode_float8(type, value, false), code) << ir::data_type_name(type);
    }
  }
  for (int code = 0; code < 255; ++code) {
    EXPECT_EQ(ops::encode_float8_e8m0(std::ldexp(1.0, code - 127), true, ops::E8m0Rounding::kUp),
              code);
  }
}

TEST(SmallFloat, E8m0RoundsAsAsked) {
  using ops::E8m0Rounding;
  EXPECT_EQ(ops::encode_float8_e8m0(1.1, true, E8m0Rounding::kUp), 128);
  EXPECT_EQ(ops::encode_float8_e8m0(1.9, true, E8m0Rounding::kDown), 127);
  EXPECT_EQ(ops::encode_float8_e8m0(1.5, true, E8m0Rounding::kNearest), 128);
  EXPECT_EQ(ops::encode_float8_e8m0(0.0, false, E8m0Rounding::kNearest), 255);
}

TEST(Narrow, RoundToOddKeepsTheSide) {
  EXPECT_EQ(ops::round_to_odd(1.5), 1.5f);
  EXPECT_GT(static_cast<double>(ops::round_to_odd(1.0 + 0x1p-40)), 1.0);
  EXPECT_LT(static_cast<double>(ops::round_to_odd(1.0 - 0x1p-40)), 1.0);
  EXPECT_EQ(ops::truncate_to<uint64_t>(0x1p64), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ops::truncate_to<int32_t>(-2147483648.9), std::numeric_limits<int32_t>::min());
}

}  // namespace
}  // namespace fettle::test
