#include <gtest/gtest.h>

#include <limits>

#include "ir/error.h"
#include "ops/resize_plan.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

Tensor floats(ir::Dims dims, Floats values) {
  return Tensor::of<float>(std::move(dims), values);
}

// A vector resized by a scale.
Floats by_scale(std::vector<Attribute> attributes, Floats x, float scale, int64_t opset = 19) {
  const auto n = static_cast<int64_t>(x.size());
  std::vector<Tensor> inputs{floats({n}, std::move(x))};
  if (opset > 10) inputs.emplace_back();
  inputs.push_back(floats({1}, {scale}));
  return elements<float>(run_operator(
      {.name = "Resize", .opset = opset, .attributes = std::move(attributes)}, inputs)[0]);
}

TEST(Resize, NearestByVersion) {
  const Floats x{1, 2, 3, 4};
  // Opset 10 takes the ceiling when it shrinks, the floor when it grows.
  EXPECT_EQ(by_scale({}, x, 0.6f, 10), (Floats{1, 3}));
  EXPECT_EQ(by_scale({}, {1, 2}, 2, 10), (Floats{1, 1, 2, 2}));
  EXPECT_EQ(by_scale({}, x, 0.6f), (Floats{1, 3}));  // half pixel: 0.33, 2.0
  EXPECT_EQ(by_scale(with(Attribute("nearest_mode", "floor"),
                          Attribute("coordinate_transformation_mode", "asymmetric")),
                     x, 0.6f),
            (Floats{1, 2}));
}

TEST(Resize, NearestTies) {
  const auto mode = [](const char* name) {
    return with(Attribute("nearest_mode", name),
                Attribute("coordinate_transformation_mode", "asymmetric"));
  };
  // Positions 0, 0.5, 1, 1.5.
  EXPECT_EQ(by_scale(mode("round_prefer_floor"), {1, 2}, 2), (Floats{1, 1, 2, 2}));
  EXPECT_EQ(by_scale(mode("round_prefer_ceil"), {1, 2}, 2), (Floats{1, 2, 2, 2}));
  EXPECT_EQ(by_scale(mode("ceil"), {1, 2}, 2), (Floats{1, 2, 2, 2}));
  // 4 / (4/3) is 3, though the float32 scale is a little above 4/3.
  EXPECT_EQ(by_scale(mode("floor"), {0, 1, 2, 3, 4, 5}, 4.0f / 3),
            (Floats{0, 0, 1, 2, 3, 3, 4, 5}));
}

TEST(Resize, Linear) {
  const auto mode = [](const char* name) {
    return with(Attribute("mode", "linear"), Attribute("coordinate_transformation_mode", name));
  };
  EXPECT_EQ(by_scale(mode("half_pixel"), {1, 2}, 2), (Floats{1, 1.25f, 1.75f, 2}));
  EXPECT_EQ(by_scale(mode("align_corners"), {1, 4}, 2), (Floats{1, 2, 3, 4}));
  EXPECT_EQ(by_scale(mode("asymmetric"), {1, 2}, 2), (Floats{1, 1.5f, 2, 2}));
  EXPECT_EQ(by_scale(mode("half_pixel"), {1, 2, 3}, 0.4f), Floats{1.75f});
  EXPECT_EQ(by_scale(mode("pytorch_half_pixel"), {1, 2, 3}, 0.4f),
            Floats{1});  // one element: position 0
}

TEST(Resize, AntialiasAveragesAllThatIsDropped) {
  const auto y =
      by_scale(with(Attribute("mode", "linear"), Attribute("antialias", 1)), {0, 0, 8, 8}, 0.5f);
  EXPECT_FLOAT_EQ(y[0],
                  1);  // weights 3/8, 3/8, 1/8 of what is inside; the edge repeats for the rest
  EXPECT_FLOAT_EQ(y[1], 7);
}

TEST(Resize, ExcludedWeightsAreSharedOut) {
  const auto cubic = [](int64_t exclude) {
    return with(Attribute("mode", "cubic"), Attribute("exclude_outside", exclude));
  };
  // A constant stays constant either way; a ramp does not at its ends.
  for (const float v : by_scale(cubic(1), {3, 3, 3, 3}, 2)) EXPECT_FLOAT_EQ(v, 3);
  EXPECT_NE(by_scale(cubic(1), {1, 2, 3, 4}, 2)[0], by_scale(cubic(0), {1, 2, 3, 4}, 2)[0]);
}

TEST(Resize, CropAndExtrapolation) {
  const auto y = run_operator(
      {.name = "Resize",
       .opset = 13,
       .attributes = with(Attribute("coordinate_transformation_mode", "tf_crop_and_resize"),
                          Attribute("mode", "linear"), Attribute("extrapolation_value", 9.0f))},
      {floats({3}, {1, 2, 3}), floats({2}, {0.5f, 1.5f}), Tensor(),
       Tensor::of<int64_t>({1}, {3})})[0];
  EXPECT_EQ(elements<float>(y), (Floats{2, 3, 9}));
}

TEST(Resize, AxesAndAspectRatio) {
  const Tensor x = floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const auto dims = [&](const char* policy) {
    return run_operator({.name = "Resize",
                         .opset = 18,
                         .attributes = with(Attribute("axes", Ints{2, 1}),
                                            Attribute("keep_aspect_ratio_policy", policy))},
                        {x, Tensor(), Tensor(), Tensor::of<int64_t>({2}, {6, 4})})[0]
        .dims();
  };
  EXPECT_EQ(dims("stretch"), (ir::Dims{1, 4, 6}));
  EXPECT_EQ(dims("not_larger"), (ir::Dims{1, 3, 6}));
  EXPECT_EQ(dims("not_smaller"), (ir::Dims{1, 4, 8}));
}

TEST(Resize, IntegersRoundAndSaturate) {
  const auto y =
      run_operator({.name = "Resize", .opset = 13, .attributes = with(Attribute("mode", "cubic"))},
                   {Tensor::of<uint8_t>({4}, {0, 0, 255, 255}), Tensor(), floats({1}, {2})})[0];
  const auto values = elements<uint8_t>(y);
  EXPECT_EQ(values.front(), 0);  // the cubic kernel undershoots
  EXPECT_EQ(values.back(), 255);
}

TEST(Resize, ExtentsAreComputedInFloat32) {
  EXPECT_EQ(ops::scaled_extent(10, 0.7f), 7);  // 6.9999999 in double
  EXPECT_EQ(ops::scaled_extent(3, 4.0f / 3), 4);
  EXPECT_THROW(ops::scaled_extent(3, 0), Error);
  EXPECT_THROW(ops::scaled_extent(3, -1), Error);
  EXPECT_THROW(ops::scaled_extent(3, std::numeric_limits<float>::quiet_NaN()), Error);
  EXPECT_THROW(ops::scaled_extent(3, std::numeric_limits<float>::infinity()), Error);
}

TEST(Resize, RefusesWrongOperands) {
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  const auto run = [&](const Tensor& scales, const Tensor& sizes) {
    run_operator({.name = "Resize", .opset = 13}, {x, Tensor(), scales, sizes});
  };
  EXPECT_THROW(run(floats({1}, {2}), Tensor()), Error);
  EXPECT_THROW(run(Tensor(), Tensor::of<int64_t>({2}, {-1, 2})), Error);
  EXPECT_THROW(run(Tensor(), Tensor()), Error);
  EXPECT_THROW(run(Tensor(), Tensor::of<int64_t>({2}, {1LL << 40, 1LL << 40})), Error);
  EXPECT_THROW(by_scale(with(Attribute("mode", "quintic")), {1, 2}, 2), Error);
  EXPECT_THROW(run_operator({.name = "Resize", .opset = 13},
                            {floats({0}, {}), Tensor(), Tensor(), Tensor::of<int64_t>({1}, {3})}),
               Error);
}

TEST(Resize, ShapesOfSymbols) {
  const ir::Tensor scales = floats({2}, {2, 1});
  ops::ValueFacts known = tensor_facts(ir::DataType::kFloat, {ir::Dim::of(2)});
  known.constant = &scales;
  const auto facts = infer_operator(
      {.name = "Resize", .opset = 13},
      {tensor_facts(ir::DataType::kFloat, {ir::Dim::named("H"), ir::Dim::named("W")}),
       tensor_facts(ir::DataType::kFloat, {ir::Dim::of(0)}), known});
  ASSERT_TRUE(facts[0].type.shape.has_value());
  EXPECT_TRUE((*facts[0].type.shape)[0].symbolic());
  EXPECT_TRUE((*facts[0].type.shape)[1].same(ir::Dim::named("W")));
}

TEST(DepthToSpace, ModesAndInverse) {
  const Tensor x = floats({1, 8, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7});
  const auto move = [&](const char* mode) {
    return run_operator({.name = "DepthToSpace",
                         .attributes = with(Attribute("blocksize", 2), Attribute("mode", mode))},
                        {x})[0];
  };
  EXPECT_EQ(elements<float>(move("DCR")), (Floats{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(elements<float>(move("CRD")), (Floats{0, 1, 2, 3, 4, 5, 6, 7}));
  const auto back = run_operator(
      {.name = "SpaceToDepth", .attributes = with(Attribute("blocksize", 2))}, {move("DCR")})[0];
  EXPECT_TRUE(ir::identical(back, x));
  EXPECT_THROW(
      run_operator({.name = "DepthToSpace", .attributes = with(Attribute("blocksize", 3))}, {x}),
      Error);
  EXPECT_THROW(run_operator({.name = "DepthToSpace"}, {x}), Error);
}

TEST(GridSample, PaddingModes) {
  const auto sample = [](const char* padding, float at) {
    return elements<float>(run_operator(
        {.name = "GridSample", .opset = 20, .attributes = with(Attribute("padding_mode", padding))},
        {floats({1, 1, 2}, {1, 3}), floats({1, 1, 1}, {at})})[0])[0];
  };
  EXPECT_EQ(sample("zeros", 0), 2);
  EXPECT_EQ(sample("zeros", -1), 0.5f);
  EXPECT_EQ(sample("border", -1), 1);
  EXPECT_EQ(sample("reflection", 1.5f), 3);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(sample("zeros", nan), 0);
  EXPECT_EQ(sample("border", 1e30f), 3);
}

TEST(RoiAlign, BatchAndRegionAreChecked) {
  const auto run = [](Floats roi, int64_t batch) {
    return elements<float>(run_operator(
        {.name = "RoiAlign", .opset = 10, .attributes = with(Attribute("sampling_ratio", 1))},
        {floats({1, 1, 2, 2}, {1, 2, 3, 4}), floats({1, 4}, std::move(roi)),
         Tensor::of<int64_t>({1}, {batch})})[0]);
  };
  EXPECT_EQ(run({0, 0, 1, 1}, 0), Floats{2.5f});
  EXPECT_THROW(run({0, 0, 1, 1}, 1), Error);
  EXPECT_THROW(run({0, 0, 1e30f, 1}, 0), Error);
}

}  // namespace
}  // namespace fettle::test
