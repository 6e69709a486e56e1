#include <gtest/gtest.h>

#include <limits>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

Floats pooled(std::string name, std::vector<Attribute> attributes, const Tensor& x) {
  return elements<float>(run_operator(
      {.name = std::move(name), .opset = 19, .attributes = std::move(attributes)}, {x})[0]);
}

TEST(AveragePool, DivisorCountsWhatItSays) {
  const Tensor x = Tensor::of<float>({1, 1, 5}, {1, 2, 3, 4, 5});
  const auto base = [](int64_t include, Ints pads) {
    return with(Attribute("kernel_shape", Ints{2}), Attribute("strides", Ints{2}),
                Attribute("ceil_mode", 1), Attribute("count_include_pad", include),
                Attribute("pads", std::move(pads)));
  };
  EXPECT_EQ(pooled("AveragePool", base(0, {0, 0}), x), (Floats{1.5, 3.5, 5}));
  // Beyond the padded input nothing counts, not even with count_include_pad.
  EXPECT_EQ(pooled("AveragePool", base(1, {0, 0}), x), (Floats{1.5, 3.5, 5}));
  EXPECT_EQ(pooled("AveragePool", base(0, {0, 1}), x), (Floats{1.5, 3.5, 5}));
  EXPECT_EQ(pooled("AveragePool", base(1, {0, 1}), x), (Floats{1.5, 3.5, 2.5}));
}

TEST(AveragePool, DilationSkipsCells) {
  const Tensor x = Tensor::of<float>({1, 1, 5}, {1, 2, 3, 4, 5});
  EXPECT_EQ(pooled("AveragePool",
                   with(Attribute("kernel_shape", Ints{2}), Attribute("dilations", Ints{3}),
                        Attribute("pads", Ints{1, 0})),
                   x),
            (Floats{3, 2.5, 3.5}));
}

TEST(MaxPool, IndicesByRowAndByColumn) {
  const Tensor x = Tensor::of<float>({1, 2, 2, 3}, {1, 5, 2, 7, 0, 3, 9, 1, 1, 1, 1, 8});
  const auto indices = [&](int64_t order) {
    const auto out = run_operator({.name = "MaxPool",
                                   .attributes = with(Attribute("kernel_shape", Ints{2, 2}),
                                                      Attribute("storage_order", order)),
                                   .outputs = 2},
                                  {x});
    EXPECT_EQ(elements<float>(out[0]), (Floats{7, 5, 9, 8}));
    return elements<int64_t>(out[1]);
  };
  EXPECT_EQ(indices(0), (Ints{3, 1, 6, 11}));
  EXPECT_EQ(indices(1), (Ints{1, 2, 6, 11}));
}

TEST(MaxPool, FirstOfEqualsAndNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto out = run_operator(
      {.name = "MaxPool", .attributes = with(Attribute("kernel_shape", Ints{3})), .outputs = 2},
      {Tensor::of<float>({1, 1, 5}, {4, 4, 1, nan, 2})});
  EXPECT_EQ(elements<float>(out[0])[0], 4);
  EXPECT_TRUE(std::isnan(elements<float>(out[0])[1]));
  EXPECT_EQ(elements<int64_t>(out[1]), (Ints{0, 3, 3}));
}

TEST(MaxPool, NegativeInt8IsNotMixedWithPadding) {
  const auto y = run_operator(
      {.name = "MaxPool",
       .attributes = with(Attribute("kernel_shape", Ints{3}), Attribute("pads", Ints{1, 1}))},
      {Tensor::of<int8_t>({1, 1, 3}, {-7, -9, -8})})[0];
  EXPECT_EQ(elements<int8_t>(y), (std::vector<int8_t>{-7, -7, -8}));
}

TEST(LpPool, NormOfAWindow) {
  EXPECT_EQ(pooled("LpPool", with(Attribute("kernel_shape", Ints{2}), Attribute("p", 2)),
                   Tensor::of<float>({1, 1, 3}, {3, -4, 0})),
            (Floats{5, 4}));
}

TEST(GlobalPools, WholeMaps) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {1, -4, 5, 7});
  EXPECT_EQ(pooled("GlobalAveragePool", with(), x), (Floats{-1.5, 6}));
  EXPECT_EQ(pooled("GlobalMaxPool", with(), x), (Floats{1, 7}));
  EXPECT_EQ(pooled("GlobalLpPool", with(Attribute("p", 1)), x), (Floats{5, 12}));
}

TEST(MaxUnpool, IndicesAreThoseBeforeOutputShape) {
  const auto run = [](Ints indices, Ints shape) {
    return run_operator({.name = "MaxUnpool",
                         .attributes = with(Attribute("kernel_shape", Ints{2, 2}),
                                            Attribute("strides", Ints{2, 2}))},
                        {Tensor::of<float>({1, 1, 1, 2}, {1, 2}), Tensor::of({1, 1, 1, 2}, indices),
                         Tensor::of({4}, shape)})[0];
  };
  EXPECT_EQ(elements<float>(run({5, 7}, {1, 1, 2, 5})), (Floats{0, 0, 0, 0, 0, 0, 1, 0, 2, 0}));
  EXPECT_THROW(run({5, 8}, {1, 1, 2, 5}), Error);   // outside
  EXPECT_THROW(run({-1, 7}, {1, 1, 2, 5}), Error);  // negative
  EXPECT_THROW(run({5, 7}, {1, 1, 2, 3}), Error);   // smaller than the unpooled shape
}

TEST(Pools, HugeWindowsOverSmallInputsEnd) {
  const Ints huge{(1LL << 31) - 1};
  const Ints pads{(1LL << 31) - 2, 0};
  const Tensor x = Tensor::of<float>({1, 1, 1}, {3});
  EXPECT_EQ(pooled("MaxPool", with(Attribute("kernel_shape", huge), Attribute("pads", pads)), x),
            Floats{3});
  EXPECT_EQ(
      pooled("AveragePool", with(Attribute("kernel_shape", huge), Attribute("pads", pads)), x),
      Floats{3});
}

}  // namespace
}  // namespace fettle::test
