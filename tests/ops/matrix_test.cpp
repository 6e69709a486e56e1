#include <gtest/gtest.h>

#include "ir/error.h"
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

TEST(MatMul, VectorsAndBatches) {
  const Tensor v = floats({2}, {1, 10});
  const Tensor m = floats({2, 2}, {1, 2, 3, 4});
  const auto product = [](const Tensor& a, const Tensor& b) {
    return run_operator({.name = "MatMul"}, {a, b})[0];
  };
  EXPECT_EQ(elements<float>(product(v, m)), (Floats{31, 42}));
  EXPECT_EQ(elements<float>(product(m, v)), (Floats{21, 43}));
  EXPECT_EQ(product(v, v).dims(), ir::Dims{});
  EXPECT_EQ(elements<float>(product(v, v)), Floats{101});
  const Tensor batched =
      product(floats({2, 1, 1, 2}, {1, 0, 0, 1}), floats({3, 2, 1}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(batched.dims(), (ir::Dims{2, 3, 1, 1}));
  EXPECT_EQ(elements<float>(batched), (Floats{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(product(floats({0, 2}, {}), m).dims(), (ir::Dims{0, 2}));
  EXPECT_EQ(elements<float>(product(floats({1, 0}, {}), floats({0, 2}, {}))), (Floats{0, 0}));
  EXPECT_THROW(product(m, floats({3, 1}, {1, 2, 3})), Error);
  EXPECT_THROW(product(floats({}, {1}), m), Error);
  EXPECT_THROW(product(floats({2, 1, 2}, {1, 1, 1, 1}), floats({3, 2, 1}, {1, 1, 1, 1, 1, 1})),
               Error);
}

TEST(MatMul, DeepSumsAndRounding) {
  // Exact in double, though partial sums in float would lose every 1.
  Floats row(300, 1);
  row[0] = 16777216;
  row[299] = -16777216;
  const Tensor y = run_operator({.name = "MatMul"},
                                {floats({1, 300}, row), floats({300, 1}, Floats(300, 1))})[0];
  EXPECT_EQ(elements<float>(y), Floats{298});
}

TEST(MatMul, IntegersWrap) {
  const auto y = run_operator({.name = "MatMul"}, {Tensor::of<int32_t>({1, 2}, {1 << 30, 1}),
                                                   Tensor::of<int32_t>({2, 1}, {4, -3})})[0];
  EXPECT_EQ(elements<int32_t>(y), std::vector<int32_t>{-3});
}

TEST(Gemm, TransposesScalesAndBias) {
  const Tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto gemm = [&](std::vector<Attribute> attributes, std::vector<Tensor> inputs) {
    return elements<float>(
        run_operator({.name = "Gemm", .attributes = std::move(attributes)}, inputs)[0]);
  };
  // A^T A = [[17, 22, 27], [22, 29, 36], [27, 36, 45]].
  EXPECT_EQ(gemm(with(Attribute("transA", 1), Attribute("alpha", 2.0f), Attribute("beta", 0.5f)),
                 {a, a, floats({3, 1}, {2, 4, 6})}),
            (Floats{35, 45, 55, 46, 60, 74, 57, 75, 93}));
  // A A^T = [[14, 32], [32, 77]].
  EXPECT_EQ(gemm(with(Attribute("transB", 1)), {a, a}), (Floats{14, 32, 32, 77}));
  EXPECT_EQ(gemm(with(Attribute("transB", 1)), {a, a, floats({}, {1})}), (Floats{15, 33, 33, 78}));
  EXPECT_EQ(gemm(with(Attribute("transB", 1)), {a, a, floats({2}, {1, 2})}),
            (Floats{15, 34, 33, 79}));
  EXPECT_THROW(gemm(with(), {a, a}), Error);
  // C broadcasts to the product, not the product to C.
  EXPECT_THROW(gemm(with(Attribute("transB", 1)),
                    {floats({1, 3}, {1, 2, 3}), a, floats({2, 2}, {1, 2, 3, 4})}),
               Error);
}

TEST(MatMulInteger, ZeroPointsPerRowAndColumn) {
  const auto y = run_operator(
      {.name = "MatMulInteger"},
      {Tensor::of<uint8_t>({2, 2}, {1, 2, 255, 0}), Tensor::of<int8_t>({2, 2}, {-128, 127, 1, 2}),
       Tensor::of<uint8_t>({2}, {1, 0}), Tensor::of<int8_t>({2}, {0, 2})})[0];
  // Rows minus (1, 0): [0 1; 255 0]. Columns minus (0, 2): [-128 125; 1 0].
  EXPECT_EQ(elements<int32_t>(y), (std::vector<int32_t>{1, 0, -32640, 31875}));
}

TEST(Einsum, Equations) {
  const auto einsum = [](const char* equation, std::vector<Tensor> inputs) {
    return run_operator({.name = "Einsum", .attributes = with(Attribute("equation", equation))},
                        inputs)[0];
  };
  const Tensor m = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(elements<float>(einsum("ii", {m})), Floats{5});
  EXPECT_EQ(elements<float>(einsum("ii->i", {m})), (Floats{1, 4}));
  EXPECT_EQ(elements<float>(einsum("ba", {m})), (Floats{1, 3, 2, 4}));  // sorted labels
  EXPECT_EQ(elements<float>(einsum("ij->", {m})), Floats{10});
  EXPECT_EQ(elements<float>(einsum("ij, jk, kl -> il", {m, m, m})), (Floats{37, 54, 81, 118}));
  EXPECT_EQ(elements<float>(einsum("...i,...i->...", {floats({2, 1, 2}, {1, 2, 3, 4}), m})),
            (Floats{5, 11, 11, 25}));
  EXPECT_EQ(elements<float>(einsum("ij->", {floats({0, 2}, {})})), Floats{0});
  for (const char* bad :
       {"ij->ijk", "ij->ii", "i.j->i", "ij->i->j", "ijk->i", "....->", "ij,ij->"}) {
    EXPECT_THROW(einsum(bad, {m}), Error) << bad;
  }
  EXPECT_THROW(einsum("ij,jk", {m, floats({3, 1}, {1, 2, 3})}), Error);
}

}  // namespace
}  // namespace fettle::test
