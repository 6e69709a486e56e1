#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Dim;
using ir::Tensor;

Tensor counted(ir::Dims dims) {
  Tensor t(ir::DataType::kFloat, std::move(dims));
  float next = 0;
  for (float& v : t.mutable_data<float>()) v = next++;
  return t;
}
Tensor filled(ir::Dims dims, float value) {
  Tensor t(ir::DataType::kFloat, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = value;
  return t;
}

// Without offsets it is a convolution, over any number of axes.
TEST(DeformConv, ZeroOffsetsGiveConv) {
  const auto attributes = [](size_t axes) {
    return with(Attribute("pads", std::vector<int64_t>(2 * axes, 1)),
                Attribute("strides", std::vector<int64_t>(axes, 2)));
  };
  for (const size_t axes : {1u, 2u, 3u}) {
    ir::Dims spatial(axes, 4), kernel(axes, 3), out(axes, 2);
    int64_t taps = 1;
    for (size_t a = 0; a < axes; ++a) taps *= 3;
    const auto dims = [](ir::Dims head, const ir::Dims& tail) {
      head.insert(head.end(), tail.begin(), tail.end());
      return head;
    };
    const Tensor x = counted(dims({1, 2}, spatial));
    const Tensor w = counted(dims({2, 2}, kernel));
    const Tensor offset = filled(dims({1, taps * static_cast<int64_t>(axes)}, out), 0);
    const auto conv = run_operator({"Conv", 11, attributes(axes)}, {x, w});
    const auto deformed = run_operator({"DeformConv", 19, attributes(axes)}, {x, w, offset});
    EXPECT_EQ(elements<float>(deformed[0]), elements<float>(conv[0])) << axes;
  }
}

TEST(DeformConv, PositionsThatAreNoneReadZero) {
  const Tensor x = filled({1, 1, 2, 2}, 1);
  const Tensor w = filled({1, 1, 1, 1}, 1);
  for (const float far : {NAN, INFINITY, -INFINITY, 1e30f, -1.0f, 2.0f}) {
    const auto y = run_operator({"DeformConv", 19}, {x, w, filled({1, 2, 2, 2}, far)});
    EXPECT_EQ(elements<float>(y[0])[0], 0) << far;
  }
  // Half outside: half of the pixel.
  const auto y = run_operator({"DeformConv", 19}, {x, w, filled({1, 2, 2, 2}, -0.5f)});
  EXPECT_EQ(elements<float>(y[0])[0], 0.25f);
}

TEST(DeformConv, RefusesOffsetsOfAnotherShape) {
  const Tensor x = filled({1, 1, 2, 2}, 1);
  const Tensor w = filled({1, 1, 1, 1}, 1);
  EXPECT_THROW(run_operator({"DeformConv", 19}, {x, w, filled({1, 2, 3, 2}, 0)}), Error);
  EXPECT_THROW(run_operator({"DeformConv", 19, with(Attribute("offset_group", 2))},
                            {x, w, filled({1, 4, 2, 2}, 0)}),
               Error);
  EXPECT_THROW(run_operator({"DeformConv", 19, with(Attribute("offset_group", 0))},
                            {x, w, filled({1, 2, 2, 2}, 0)}),
               Error);
}

TEST(Col2Im, OverlapsAddAndComplexNumbersWork) {
  const Tensor image = Tensor::of<int64_t>({2}, {1, 3});
  const Tensor block = Tensor::of<int64_t>({2}, {1, 2});
  const auto y =
      run_operator({"Col2Im", 18}, {Tensor::of<float>({1, 2, 2}, {1, 2, 3, 4}), image, block});
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{1, 5, 4}));
  Tensor x(ir::DataType::kComplex64, {1, 2, 2});
  auto* parts = reinterpret_cast<float*>(x.mutable_bytes());
  for (int i = 0; i < 8; ++i) parts[i] = static_cast<float>(i);
  const auto z = run_operator({"Col2Im", 18}, {x, image, block});
  const auto* sums = reinterpret_cast<const float*>(z[0].bytes());
  EXPECT_EQ(std::vector<float>(sums, sums + 6), (std::vector<float>{0, 1, 6, 8, 6, 7}));
}

TEST(Col2Im, RuleDividesTheChannels) {
  auto image = tensor_facts(ir::DataType::kInt64, {Dim::of(2)});
  image.ints = ops::Ints{Dim::named("H"), Dim::of(3)};
  auto block = tensor_facts(ir::DataType::kInt64, {Dim::of(2)});
  block.ints = ops::Ints{Dim::of(2), Dim::of(2)};
  const auto x = tensor_facts(ir::DataType::kFloat, {Dim::named("N"), Dim::of(12), Dim::unknown()});
  const auto y = infer_operator({"Col2Im", 18}, {x, image, block});
  EXPECT_EQ(ir::to_string(*y[0].type.shape), "[N, 3, H, 3]");
}

TEST(Det, SingularEmptyAndPermuted) {
  const auto det = [](ir::Dims dims, std::vector<float> values) {
    return numbers(run_operator({"Det", 11}, {Tensor::of(std::move(dims), values)})[0]);
  };
  EXPECT_EQ(det({2, 2}, {1, 2, 2, 4}), std::vector<double>{0});
  EXPECT_EQ(det({3, 3}, {0, 0, 2, 0, 3, 0, 5, 0, 0}), std::vector<double>{-30});
  EXPECT_EQ(det({2, 0, 0}, {}), (std::vector<double>{1, 1}));
  EXPECT_THROW(det({2, 3}, {1, 2, 3, 4, 5, 6}), Error);
}

TEST(AffineGrid, IdentityReachesTheCorners) {
  const Tensor theta = Tensor::of<float>({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  const Tensor size = Tensor::of<int64_t>({4}, {1, 1, 2, 3});
  const auto y =
      run_operator({"AffineGrid", 20, with(Attribute("align_corners", 1))}, {theta, size});
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{-1, -1, 0, -1, 1, -1, -1, 1, 0, 1, 1, 1}));
  EXPECT_THROW(run_operator({"AffineGrid", 20}, {theta, Tensor::of<int64_t>({4}, {2, 1, 2, 3})}),
               Error);
  EXPECT_THROW(
      run_operator({"AffineGrid", 20}, {theta, Tensor::of<int64_t>({4}, {1, 1, 1 << 30, 1 << 30})}),
      Error);
}

TEST(MaxRoiPool, RegionsOutsideGiveZero) {
  const Tensor x = counted({1, 1, 3, 3});
  const auto pool = [&](std::vector<float> roi) {
    return run_operator(
        {"MaxRoiPool", 1, with(Attribute("pooled_shape", std::vector<int64_t>{1, 1}))},
        {x, Tensor::of<float>({1, 5}, roi)});
  };
  EXPECT_EQ(elements<float>(pool({0, 0, 0, 1, 1})[0])[0], 4);
  EXPECT_EQ(elements<float>(pool({0, 7, 7, 9, 9})[0])[0], 0);
  EXPECT_THROW(pool({1, 0, 0, 1, 1}), Error);
  EXPECT_THROW(pool({0, NAN, 0, 1, 1}), Error);
}

TEST(Multinomial, FollowsTheProbabilitiesAndTheSeed) {
  const Tensor x = Tensor::of<float>({1, 3}, {std::log(0.25f), -INFINITY, std::log(0.75f)});
  const auto draw = [&](float seed) {
    return elements<int32_t>(run_operator(
        {"Multinomial", 7, with(Attribute("sample_size", 4000), Attribute("seed", seed))}, {x})[0]);
  };
  const auto first = draw(1);
  EXPECT_EQ(first, draw(1));
  EXPECT_NE(first, draw(2));
  EXPECT_EQ(std::count(first.begin(), first.end(), 1), 0);
  EXPECT_NEAR(static_cast<double>(std::count(first.begin(), first.end(), 0)), 1000, 120);
  EXPECT_THROW(run_operator({"Multinomial", 7}, {Tensor::of<float>({1, 2}, {NAN, 0})}), Error);
}

}  // namespace
}  // namespace fettle::test
