#include <gtest/gtest.h>

#include <cmath>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;
using Floats = std::vector<float>;

Tensor floats(ir::Dims dims, Floats values) {
  return Tensor::of<float>(std::move(dims), values);
}
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// Hidden and input size 1: every weight is a number. Gates in the order of the specification.
struct Scalars {
  Floats w, r, wb, rb, p;
};

TEST(Lstm, OneStepByHand) {
  const Scalars s{{0.5f, -0.25f, 1, 2},
                  {0.1f, 0.2f, 0.3f, 0.4f},
                  {0.01f, 0.02f, 0.03f, 0.04f},
                  {0.1f, 0.1f, 0.1f, 0.1f},
                  {0.7f, 0.8f, 0.9f}};
  Floats bias = s.wb;
  bias.insert(bias.end(), s.rb.begin(), s.rb.end());
  const double x = 1.5, h = 0.25, c = -0.5;
  const auto gate = [&](size_t g) { return s.w[g] * x + s.r[g] * h + s.wb[g] + s.rb[g]; };
  const double i = sigmoid(gate(0) + s.p[0] * c);
  const double f = sigmoid(gate(2) + s.p[2] * c);
  const double cell = f * c + i * std::tanh(gate(3));
  const double o = sigmoid(gate(1) + s.p[1] * cell);  // the peephole sees the new cell
  const auto out =
      run_operator({.name = "LSTM", .attributes = with(Attribute("hidden_size", 1)), .outputs = 3},
                   {floats({1, 1, 1}, {1.5f}), floats({1, 4, 1}, s.w), floats({1, 4, 1}, s.r),
                    floats({1, 8}, bias), Tensor(), floats({1, 1, 1}, {0.25f}),
                    floats({1, 1, 1}, {-0.5f}), floats({1, 3}, s.p)});
  EXPECT_FLOAT_EQ(elements<float>(out[2])[0], static_cast<float>(cell));
  EXPECT_FLOAT_EQ(elements<float>(out[1])[0], static_cast<float>(o * std::tanh(cell)));
  EXPECT_EQ(elements<float>(out[0]), elements<float>(out[1]));
}

TEST(Gru, ResetBeforeAndAfterTheProduct) {
  const Floats w{0.5f, -0.3f, 1}, r{0.2f, 0.4f, 0.6f}, wb{0.1f, 0.2f, 0.3f},
      rb{0.05f, 0.15f, 0.25f};
  Floats bias = wb;
  bias.insert(bias.end(), rb.begin(), rb.end());
  const double x = 0.8, h = -0.6;
  const double z = sigmoid(w[0] * x + r[0] * h + wb[0] + rb[0]);
  const double q = sigmoid(w[1] * x + r[1] * h + wb[1] + rb[1]);
  for (const int64_t linear : {0, 1}) {
    const double before = linear != 0 ? q * (r[2] * h + rb[2]) : r[2] * (q * h) + rb[2];
    const double g = std::tanh(w[2] * x + before + wb[2]);
    const auto out = run_operator(
        {.name = "GRU",
         .attributes = with(Attribute("hidden_size", 1), Attribute("linear_before_reset", linear)),
         .outputs = 2},
        {floats({1, 1, 1}, {0.8f}), floats({1, 3, 1}, w), floats({1, 3, 1}, r),
         floats({1, 6}, bias), Tensor(), floats({1, 1, 1}, {-0.6f})});
    EXPECT_FLOAT_EQ(elements<float>(out[1])[0], static_cast<float>((1 - z) * g + z * h));
  }
}

// H' = x + H with Relu as identity: sums are easy to follow.
std::vector<Tensor> running_sum(std::vector<Attribute> attributes, int64_t directions,
                                const Tensor& x, const Tensor& lengths) {
  attributes.emplace_back("hidden_size", 1);
  attributes.emplace_back("activations",
                          std::vector<std::string>(static_cast<size_t>(directions), "Relu"));
  return run_operator(
      {.name = "RNN", .attributes = std::move(attributes), .outputs = 2},
      {x, floats({directions, 1, 1}, Floats(static_cast<size_t>(directions), 1)),
       floats({directions, 1, 1}, Floats(static_cast<size_t>(directions), 1)), Tensor(), lengths});
}

TEST(Rnn, DirectionsAndSequenceLengths) {
  // Steps 1 2 4 of sequence 0, 10 20 40 of sequence 1, which has length 2.
  const Tensor x = floats({3, 2, 1}, {1, 10, 2, 20, 4, 40});
  const auto out = running_sum(with(Attribute("direction", "bidirectional")), 2, x,
                               Tensor::of<int32_t>({2}, {3, 2}));
  EXPECT_EQ(elements<float>(out[0]), (Floats{1, 10, 7, 30, 3, 30, 6, 20, 7, 0, 4, 0}));
  EXPECT_EQ(elements<float>(out[1]), (Floats{7, 30, 7, 30}));
}

TEST(Rnn, BatchFirstLayout) {
  const Tensor x = floats({2, 3, 1}, {1, 2, 4, 10, 20, 40});
  const auto out =
      running_sum(with(Attribute("layout", 1), Attribute("direction", "reverse")), 1, x, Tensor());
  EXPECT_EQ(out[0].dims(), (ir::Dims{2, 3, 1, 1}));
  EXPECT_EQ(elements<float>(out[0]), (Floats{7, 6, 4, 70, 60, 40}));
  EXPECT_EQ(out[1].dims(), (ir::Dims{2, 1, 1}));
  EXPECT_EQ(elements<float>(out[1]), (Floats{7, 70}));
}

TEST(Rnn, ClipActsOnTheArgumentOfTheActivation) {
  const auto out =
      running_sum(with(Attribute("clip", 2.5f)), 1, floats({2, 1, 1}, {2, 2}), Tensor());
  EXPECT_EQ(elements<float>(out[0]), (Floats{2, 2.5f}));
}

TEST(Recurrent, RefusesWrongOperands) {
  const Tensor x = floats({2, 1, 1}, {1, 2});
  const auto lstm = [&](std::vector<Attribute> attributes, const Tensor& w, const Tensor& lengths) {
    run_operator({.name = "LSTM", .attributes = std::move(attributes), .outputs = 3},
                 {x, w, floats({1, 4, 1}, {1, 1, 1, 1}), Tensor(), lengths});
  };
  const Tensor w = floats({1, 4, 1}, {1, 1, 1, 1});
  EXPECT_NO_THROW(lstm({}, w, Tensor()));
  EXPECT_THROW(lstm({}, floats({1, 3, 1}, {1, 1, 1}), Tensor()), Error);
  EXPECT_THROW(lstm({}, w, Tensor::of<int32_t>({1}, {3})), Error);
  EXPECT_THROW(lstm({}, w, Tensor::of<int32_t>({1}, {-1})), Error);
  EXPECT_THROW(lstm(with(Attribute("hidden_size", 2)), w, Tensor()), Error);
  EXPECT_THROW(lstm(with(Attribute("hidden_size", -1)), w, Tensor()), Error);
  EXPECT_THROW(lstm(with(Attribute("direction", "sideways")), w, Tensor()), Error);
  EXPECT_THROW(lstm(with(Attribute("direction", "bidirectional")), w, Tensor()), Error);
  EXPECT_THROW(lstm(with(Attribute("activations", std::vector<std::string>{"Tanh"})), w, Tensor()),
               Error);
}

}  // namespace
}  // namespace fettle::test
