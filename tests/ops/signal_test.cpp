#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "ir/error.h"
#include "ops/fourier.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Dim;
using ir::Tensor;
using ops::Complex;

// The defining sum with the exponent reduced modulo the length.
std::vector<Complex> defining_sum(const std::vector<Complex>& x, double sign) {
  const size_t n = x.size();
  std::vector<Complex> out(n);
  for (size_t k = 0; k < n; ++k) {
    for (size_t i = 0; i < n; ++i) {
      out[k] += x[i] * std::polar(1.0, sign * 2 * std::numbers::pi * double(k * i % n) / double(n));
    }
  }
  return out;
}

// 1, powers of two, short lengths, a prime and composite lengths beyond them.
TEST(FourierTransform, EveryKindOfLength) {
  for (const int64_t n : {1, 2, 3, 7, 8, 64, 63, 65, 97, 100, 128, 210, 251}) {
    std::vector<Complex> x;
    for (int64_t i = 0; i < n; ++i)
      x.emplace_back(std::sin(3.0 * double(i)), std::cos(double(i * i)));
    for (const bool inverse : {false, true}) {
      const auto expected = defining_sum(x, inverse ? 1 : -1);
      auto actual = x;
      ops::FourierTransform transform(n, inverse);
      for (int run = 0; run < 2; ++run) {  // the object is used again
        actual = x;
        transform.run(actual.data());
      }
      for (size_t k = 0; k < actual.size(); ++k) {
        EXPECT_LT(std::abs(actual[k] - expected[k]), 1e-11 * double(n)) << n << " at " << k;
      }
    }
  }
}

// 999983 is prime: the sum itself would take 10^12 steps.
TEST(FourierTransform, LongPrimeLengthIsQuick) {
  std::vector<Complex> x(999983, Complex(0, 0));
  x[1] = 1;
  ops::FourierTransform(999983, false).run(x.data());
  EXPECT_NEAR(x[499991].real(), std::cos(2 * std::numbers::pi * 499991 / 999983), 1e-9);
}

TEST(Dft, InverseOfOneSidedGivesTheSignalBack) {
  for (const int64_t n : {6, 7}) {
    Tensor x(ir::DataType::kDouble, {2, n, 1});
    for (size_t i = 0; i < x.mutable_data<double>().size(); ++i) {
      x.mutable_data<double>()[i] = std::sin(double(i * i));
    }
    const Tensor length = Tensor::scalar(n);
    const auto spectrum = run_operator({"DFT", 20, with(Attribute("onesided", 1))}, {x})[0];
    EXPECT_EQ(spectrum.dims(), (ir::Dims{2, n / 2 + 1, 2}));
    const auto back =
        run_operator({"DFT", 20, with(Attribute("onesided", 1), Attribute("inverse", 1))},
                     {spectrum, length})[0];
    ASSERT_EQ(back.dims(), x.dims());
    for (int64_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(ir::element_as_double(back, i), ir::element_as_double(x, i), 1e-14);
    }
  }
}

TEST(Dft, RefusesWhatContradicts) {
  const Tensor real(ir::DataType::kFloat, {1, 4, 1});
  const Tensor complex(ir::DataType::kFloat, {1, 4, 2});
  const auto onesided = [] { return with(Attribute("onesided", 1)); };
  EXPECT_THROW(run_operator({"DFT", 20, onesided()}, {complex}), Error);
  EXPECT_THROW(run_operator({"DFT", 20}, {real, Tensor::scalar<int64_t>(0)}), Error);
  EXPECT_THROW(run_operator({"DFT", 20}, {real, {}, Tensor::scalar<int64_t>(2)}), Error);
  EXPECT_THROW(run_operator({"DFT", 20}, {real, Tensor::scalar(int64_t{1} << 50)}), Error);
  EXPECT_THROW(run_operator({"DFT", 20}, {Tensor(ir::DataType::kFloat, {4, 3})}), Error);
}

TEST(Dft, RuleKeepsSymbols) {
  const auto x = tensor_facts(ir::DataType::kFloat, {Dim::named("N"), Dim::named("T"), Dim::of(1)});
  const auto half = infer_operator({"DFT", 20, with(Attribute("onesided", 1))}, {x})[0].type;
  EXPECT_EQ(ir::to_string(*half.shape), "[N, floor(T/2)+1, 2]");
  const auto full = infer_operator({"DFT", 17}, {x})[0].type;
  EXPECT_EQ(ir::to_string(*full.shape), "[N, T, 2]");
}

TEST(Stft, FramesOfASymbolicSignal) {
  const auto x = tensor_facts(ir::DataType::kFloat, {Dim::named("N"), Dim::named("T"), Dim::of(1)});
  auto step = tensor_facts(ir::DataType::kInt64, {});
  const Tensor four = Tensor::scalar<int64_t>(4);
  step.constant = &four;
  const auto window = tensor_facts(ir::DataType::kFloat, {Dim::of(8)});
  const auto y = infer_operator({"STFT", 17}, {x, step, window})[0].type;
  ASSERT_TRUE(y.shape);
  EXPECT_TRUE((*y.shape)[0].same(Dim::named("N")));
  EXPECT_EQ((*y.shape)[2].value, 5);
  EXPECT_EQ((*y.shape)[3].value, 2);
}

TEST(Stft, RefusesFramesThatDoNotFit) {
  const Tensor x(ir::DataType::kFloat, {1, 10, 1});
  const auto number = [](int64_t v) { return Tensor::scalar(v); };
  EXPECT_THROW(run_operator({"STFT", 17}, {x, number(0), {}, number(4)}), Error);
  EXPECT_THROW(run_operator({"STFT", 17}, {x, number(1), {}, number(11)}), Error);
  EXPECT_THROW(
      run_operator({"STFT", 17}, {x, number(1), Tensor(ir::DataType::kFloat, {3}), number(4)}),
      Error);
}

TEST(WindowFunctions, SymmetricPeriodicAndOnePoint) {
  const auto window = [](const char* name, int64_t size, int periodic) {
    return numbers(
        run_operator({name, 17, with(Attribute("periodic", periodic))}, {Tensor::scalar(size)})[0]);
  };
  EXPECT_EQ(window("HannWindow", 1, 0), (std::vector<double>{1}));
  EXPECT_EQ(window("HannWindow", 0, 1), (std::vector<double>{}));
  const auto hann = window("HannWindow", 4, 1);
  EXPECT_NEAR(hann[1], 0.5, 1e-7);
  EXPECT_NEAR(hann[2], 1.0, 1e-7);
  EXPECT_NEAR(window("HammingWindow", 3, 0)[0], 4.0 / 46.0, 1e-7);
  EXPECT_THROW(window("HannWindow", -1, 1), Error);
  EXPECT_THROW(window("HannWindow", int64_t{1} << 50, 1), Error);
}

TEST(MelWeightMatrix, RefusesEdgesBeyondTheSpectrum) {
  const auto number = [](int64_t v) { return Tensor::scalar(v); };
  EXPECT_THROW(run_operator({"MelWeightMatrix", 17}, {number(4), number(16), number(100),
                                                      Tensor::scalar(0.0f), Tensor::scalar(9e9f)}),
               Error);
}

TEST(Losses, ReductionsWeightsAndIgnoredLabels) {
  const Tensor x = Tensor::of<float>({3, 2}, {-1, -2, -3, -4, -5, -6});
  const Tensor labels = Tensor::of<int64_t>({3}, {1, 7, 0});
  const Tensor weights = Tensor::of<float>({2}, {1, 3});
  const auto loss = [&](const char* reduction, const Tensor& w) {
    return numbers(
        run_operator({"NegativeLogLikelihoodLoss", 13,
                      with(Attribute("reduction", reduction), Attribute("ignore_index", 7))},
                     {x, labels, w})[0]);
  };
  EXPECT_EQ(loss("none", {}), (std::vector<double>{2, 0, 5}));
  EXPECT_EQ(loss("none", weights), (std::vector<double>{6, 0, 5}));
  EXPECT_EQ(loss("sum", weights), (std::vector<double>{11}));
  EXPECT_EQ(loss("mean", weights), (std::vector<double>{2.75}));  // by weights, not by samples
  EXPECT_EQ(loss("mean", {}), (std::vector<double>{3.5}));
  EXPECT_THROW(loss("median", {}), Error);
  EXPECT_THROW(run_operator({"NegativeLogLikelihoodLoss", 13}, {x, labels}), Error);
}

TEST(Losses, HalfPrecisionIsRoundedOnce) {
  const Tensor x = half_tensor({1, 3}, {1000, 1001, 1002});
  const auto y =
      run_operator({"SoftmaxCrossEntropyLoss", 13, {}, 2}, {x, Tensor::of<int64_t>({1}, {0})});
  EXPECT_EQ(y[0].type(), ir::DataType::kFloat16);
  EXPECT_NEAR(numbers(y[0])[0], 2.4076, 1e-3);
  EXPECT_NEAR(numbers(y[1])[2], -0.4076, 2e-4);
}

TEST(Losses, RuleDropsTheClassAxis) {
  const auto x = tensor_facts(ir::DataType::kFloat, {Dim::named("N"), Dim::of(5), Dim::named("L")});
  const auto labels = tensor_facts(ir::DataType::kInt64, {Dim::named("N"), Dim::of(9)});
  const auto y = infer_operator(
      {"SoftmaxCrossEntropyLoss", 13, with(Attribute("reduction", "none")), 2}, {x, labels});
  EXPECT_EQ(ir::to_string(*y[0].type.shape), "[N, 9]");
  EXPECT_EQ(y[1].type, x.type);
}

}  // namespace
}  // namespace fettle::test
