#include "calib/range_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/float16.h"

namespace fettle::calib {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(RangeScan, AgreesWithAPlainLoopForAnyLength) {
  uint32_t state = 7;
  for (int64_t size = 1; size < 9000; size = size * 5 / 3 + 1) {
    ir::Tensor t(ir::DataType::kFloat, {size});
    float low = kInf, high = -kInf;
    int64_t finite = 0;
    for (float& x : t.mutable_data<float>()) {
      state = state * 1664525 + 1013904223;
      x = static_cast<float>(static_cast<int32_t>(state)) * 1e-6f;
      if (state % 11 == 0) x = NAN;
      if (state % 13 == 0) x = state % 2 == 0 ? kInf : -kInf;
      if (!std::isfinite(x)) continue;
      low = std::min(low, x);
      high = std::max(high, x);
      ++finite;
    }
    const TensorRange range = scan_range(t);
    EXPECT_EQ(range.count, finite);
    EXPECT_EQ(range.non_finite, size - finite);
    if (finite == 0) continue;
    EXPECT_EQ(range.min, low);
    EXPECT_EQ(range.max, high);
  }
}

TEST(RangeScan, KeepsExtremesAndSubnormals) {
  const float most = std::numeric_limits<float>::max();
  const float least = std::numeric_limits<float>::denorm_min();
  const TensorRange wide = scan_range(ir::Tensor::of<float>({3}, {-most, 0, most}));
  EXPECT_EQ(wide.min, -most);
  EXPECT_EQ(wide.max, most);
  const TensorRange narrow = scan_range(ir::Tensor::of<float>({2}, {least, 2 * least}));
  EXPECT_EQ(narrow.min, least);
  EXPECT_EQ(narrow.max, 2 * least);
}

TEST(RangeScan, NegativeZeroIsZero) {
  EXPECT_FALSE(std::signbit(scan_range(ir::Tensor::of<float>({1}, {-0.0f})).min));
  EXPECT_FALSE(std::signbit(scan_range(ir::Tensor::of<float>({1}, {-0.0f})).max));
}

TEST(RangeScan, WithoutFiniteElementsTheRangeIsZero) {
  const TensorRange range = scan_range(ir::Tensor::of<float>({2}, {NAN, kInf}));
  EXPECT_EQ(range.min, 0);
  EXPECT_EQ(range.max, 0);
  EXPECT_EQ(range.count, 0);
  EXPECT_EQ(range.non_finite, 2);
}

TEST(RangeScan, ReadsOtherFloatingTypes) {
  const TensorRange half =
      scan_range(ir::Tensor::of<ir::Float16>({2}, {ir::Float16(-1.5f), ir::Float16(2.5f)}));
  EXPECT_EQ(half.min, -1.5f);
  EXPECT_EQ(half.max, 2.5f);
  const TensorRange wide = scan_range(ir::Tensor::of<double>({3}, {-3, 4, 1e300}));
  EXPECT_EQ(wide.min, -3);
  EXPECT_EQ(wide.max, 4);
  EXPECT_EQ(wide.non_finite, 1);  // beyond float
}

TEST(RangeScan, MergesOnlyWhatWasSeen) {
  TensorRange range;
  merge_range(range, {2, 3, 5, 1});
  EXPECT_EQ(range.min, 2);
  merge_range(range, {0, 0, 0, 4});
  EXPECT_EQ(range.min, 2);
  EXPECT_EQ(range.max, 3);
  EXPECT_EQ(range.count, 5);
  EXPECT_EQ(range.non_finite, 5);
  merge_range(range, {-1, 2.5f, 1, 0});
  EXPECT_EQ(range.min, -1);
  EXPECT_EQ(range.max, 3);
}

}  // namespace
}  // namespace fettle::calib
