#include <gtest/gtest.h>

#include <numeric>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;
using Ints = std::vector<int64_t>;

// Small whole numbers, so that sums are exact.
Tensor pattern(ir::Dims dims, int seed) {
  std::vector<float> values(static_cast<size_t>(ir::element_count(dims)));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((static_cast<int>(i) * 7 + seed) % 11 - 5);
  }
  return Tensor::of(std::move(dims), values);
}

struct Case {
  int64_t group;
  Ints strides, dilations, pads;  // pads: top, left, bottom, right
};

std::vector<Attribute> attributes_of(const Case& c) {
  return with(Attribute("group", c.group), Attribute("strides", c.strides),
              Attribute("dilations", c.dilations), Attribute("pads", c.pads));
}

// One output element of a 2-D convolution, straight from the definition.
float conv_at(const Case& c, const Tensor& x, const Tensor& w, int64_t n, int64_t m, int64_t oh,
              int64_t ow) {
  const auto at = [](const Tensor& t, int64_t i, int64_t j, int64_t k, int64_t l) {
    return t.data<float>()[static_cast<size_t>(((i * t.dim(1) + j) * t.dim(2) + k) * t.dim(3) + l)];
  };
  const int64_t first = m / (w.dim(0) / c.group) * w.dim(1);
  float sum = 0;
  for (int64_t q = 0; q < w.dim(1); ++q)
    for (int64_t i = 0; i < w.dim(2); ++i)
      for (int64_t j = 0; j < w.dim(3); ++j) {
        const int64_t h = oh * c.strides[0] - c.pads[0] + i * c.dilations[0];
        const int64_t v = ow * c.strides[1] - c.pads[1] + j * c.dilations[1];
        if (h < 0 || v < 0 || h >= x.dim(2) || v >= x.dim(3)) continue;
        sum += at(x, n, first + q, h, v) * at(w, m, q, i, j);
      }
  return sum;
}

TEST(Conv, MatchesTheDefinition) {
  const Tensor x = pattern({2, 4, 9, 8}, 3);
  for (const Case& c :
       {Case{1, {1, 1}, {1, 1}, {0, 0, 0, 0}}, Case{2, {2, 1}, {1, 2}, {1, 2, 0, 3}},
        Case{4, {3, 2}, {2, 3}, {2, 1, 1, 0}}}) {
    const Tensor w = pattern({8, 4 / c.group, 3, 2}, 5);
    const Tensor y = run_operator({.name = "Conv", .attributes = attributes_of(c)}, {x, w})[0];
    size_t next = 0;
    for (int64_t n = 0; n < y.dim(0); ++n)
      for (int64_t m = 0; m < y.dim(1); ++m)
        for (int64_t h = 0; h < y.dim(2); ++h)
          for (int64_t v = 0; v < y.dim(3); ++v)
            ASSERT_EQ(y.data<float>()[next++], conv_at(c, x, w, n, m, h, v));
  }
}

TEST(Conv, PointwiseWithBiasAndLongRows) {
  const Tensor x = pattern({1, 2, 3000}, 1);
  const Tensor w = Tensor::of<float>({1, 2, 1}, {2, -1});
  const Tensor b = Tensor::of<float>({1}, {10});
  const Tensor y = run_operator({.name = "Conv"}, {x, w, b})[0];
  const auto in = x.data<float>();
  for (size_t i = 0; i < 3000; ++i) ASSERT_EQ(y.data<float>()[i], 2 * in[i] - in[3000 + i] + 10);
}

// <conv(x), y> = <x, conv_transpose(y)>: the transposed convolution is the adjoint.
TEST(ConvTranspose, IsTheAdjointOfConv) {
  const Case c{2, {2, 3}, {2, 1}, {1, 0, 2, 1}};
  const Tensor w = pattern({6, 2, 2, 3}, 4);
  const Tensor x = pattern({1, 4, 9, 9}, 2);
  const Tensor forward = run_operator({.name = "Conv", .attributes = attributes_of(c)}, {x, w})[0];
  const Tensor y = pattern(forward.dims(), 9);
  const Tensor bare =
      run_operator({.name = "ConvTranspose", .attributes = attributes_of(c)}, {y, w})[0];
  // The rows that the stride left over at the end.
  auto attributes = attributes_of(c);
  attributes.emplace_back("output_padding", Ints{9 - bare.dim(2), 9 - bare.dim(3)});
  const Tensor back =
      run_operator({.name = "ConvTranspose", .attributes = std::move(attributes)}, {y, w})[0];
  ASSERT_EQ(back.dims(), x.dims());
  const auto dot = [](const Tensor& a, const Tensor& b) {
    const auto p = a.data<float>();
    const auto q = b.data<float>();
    return std::inner_product(p.begin(), p.end(), q.begin(), 0.0);
  };
  EXPECT_EQ(dot(forward, y), dot(x, back));
}

TEST(ConvTranspose, AreaBeyondTheLastTapHoldsTheBias) {
  const Tensor y = run_operator(
      {.name = "ConvTranspose",
       .attributes = with(Attribute("strides", Ints{3}), Attribute("output_padding", Ints{2}))},
      {Tensor::of<float>({1, 1, 2}, {1, 2}), Tensor::of<float>({1, 1, 1}, {5}),
       Tensor::of<float>({1}, {7})})[0];
  EXPECT_EQ(elements<float>(y), (std::vector<float>{12, 7, 7, 17, 7, 7}));
}

TEST(Conv, Float16RoundsOnce) {
  // 2048 + 1 + 1 is 2050 in float16; rounding after every step would stay at 2048.
  const Tensor y = run_operator({.name = "Conv"}, {half_tensor({1, 3, 1}, {2048, 1, 1}),
                                                   half_tensor({1, 3, 1}, {1, 1, 1})})[0];
  EXPECT_EQ(numbers(y), std::vector<double>{2050});
}

TEST(ConvInteger, ZeroPointsArePaddingAndPerChannel) {
  const Tensor y = run_operator(
      {.name = "ConvInteger", .attributes = with(Attribute("pads", Ints{1, 1}))},
      {Tensor::of<uint8_t>({1, 1, 2}, {10, 20}), Tensor::of<int8_t>({2, 1, 3}, {1, 1, 1, 3, 3, 3}),
       Tensor::scalar<uint8_t>(10), Tensor::of<int8_t>({2}, {0, 2})})[0];
  EXPECT_EQ(elements<int32_t>(y), (std::vector<int32_t>{10, 10, 10, 10}));
}

TEST(Conv, EmptyTensors) {
  const auto run = [](const char* name, ir::Dims x, ir::Dims w) {
    return run_operator(
        {.name = name, .attributes = with(Attribute("pads", Ints{1 << 30, 1 << 30}))},
        {Tensor(ir::DataType::kFloat, std::move(x)),
         Tensor(ir::DataType::kFloat, std::move(w))})[0];
  };
  constexpr int64_t kHuge = (1LL << 31) - 1;  // a kernel of no elements takes no memory
  EXPECT_EQ(run("Conv", {1, 1, 2}, {0, 1, kHuge}).size(), 0);
  EXPECT_EQ(run("Conv", {0, 1, 2}, {1, 1, 1}).size(), 0);
  EXPECT_EQ(elements<float>(run("Conv", {1, 0, 0}, {1, 0, kHuge})), std::vector<float>({0, 0}));
}

TEST(Conv, RefusesWrongOperands) {
  const Tensor x = pattern({1, 2, 4}, 0);
  EXPECT_THROW(run_operator({.name = "Conv"}, {x, pattern({1, 3, 1}, 0)}), Error);
  EXPECT_THROW(run_operator({.name = "Conv"}, {x, pattern({1, 2}, 0)}), Error);
  EXPECT_THROW(run_operator({.name = "Conv"}, {x, half_tensor({1, 2, 1}, {1, 1})}), Error);
  EXPECT_THROW(run_operator({.name = "Conv"}, {x, pattern({1, 2, 1}, 0), pattern({2}, 0)}), Error);
  EXPECT_THROW(run_operator({.name = "Conv",
                             .attributes = with(Attribute("pads", Ints{1LL << 30, 1LL << 30}))},
                            {pattern({1 << 12, 2, 4}, 0), pattern({1 << 12, 2, 1}, 0)}),
               Error);  // beyond any memory
}

}  // namespace
}  // namespace fettle::test
