// Operators of com.microsoft by hand; tests/crosscheck/contrib_ops.py compares them with ONNX
// Runtime.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/error.h"
#include "ops/run_operator.h"
#include "ops/run_text.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;

constexpr double kNear = 1e-6;
const Tensor kOmitted;

Operator contrib(std::string name, std::vector<Attribute> attributes = {}, size_t outputs = 1) {
  return {std::move(name), 1, std::move(attributes), outputs, "com.microsoft"};
}

Tensor floats(ir::Dims dims, std::vector<float> values) {
  return Tensor::of<float>(std::move(dims), values);
}

Tensor filled(ir::Dims dims, float value = 0) {
  Tensor t(ir::DataType::kFloat, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = value;
  return t;
}

Tensor words(ir::Dims dims, std::vector<int32_t> values) {
  return Tensor::of<int32_t>(std::move(dims), values);
}

void expect_near(const Tensor& tensor, const std::vector<double>& expected) {
  const auto found = numbers(tensor);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], kNear) << i;
}

ErrorCode error_code(Operator op, const std::vector<Tensor>& inputs) {
  return error_of([&] { run_operator(std::move(op), inputs); });
}

ir::Dim named(const char* name) {
  return ir::Dim::named(name);
}
ops::ValueFacts facts(ir::Shape shape) {
  return tensor_facts(ir::DataType::kFloat, std::move(shape));
}
std::string shape_text(const std::vector<ops::ValueFacts>& outputs, size_t i = 0) {
  return ir::to_string(*outputs.at(i).type.shape);
}

TEST(ContribGelu, FourKinds) {
  const Tensor x = floats({1, 2}, {1, -2});
  const auto phi = [](double v) { return 0.5 * v * std::erfc(-v / std::sqrt(2.0)); };
  expect_near(run_operator(contrib("Gelu"), {x})[0], {phi(1), phi(-2)});
  expect_near(run_operator(contrib("BiasGelu"), {x, floats({2}, {1, 3})})[0], {phi(2), phi(1)});
  expect_near(run_operator(contrib("FastGelu"), {x, floats({2}, {0, 3})})[0],
              {0.8411919906082768, 0.8411919906082768});
  expect_near(run_operator(contrib("QuickGelu", with(Attribute("alpha", 2.0f))), {x})[0],
              {1 / (1 + std::exp(-2.0)), -2 / (1 + std::exp(4.0))});
  EXPECT_EQ(error_code(contrib("BiasGelu"), {x}), ErrorCode::kBadInput);
  EXPECT_EQ(error_code(contrib("BiasGelu"), {x, filled({1})}), ErrorCode::kBadInput);
  EXPECT_EQ(error_code(contrib("FastGelu"), {x, filled({1, 2})}), ErrorCode::kBadInput);
}

TEST(FusedMatMul, BatchAxesTranspose) {
  // A is [rows 2, batch 2, depth 1], transposed to [batch 2, rows 2, depth 1].
  const Tensor a = floats({2, 2, 1}, {1, 2, 3, 4});
  const Tensor b = floats({2, 1, 1}, {10, 100});
  const auto attributes = [] {
    return with(Attribute("transBatchA", 1), Attribute("transB", 1), Attribute("alpha", 0.5f));
  };
  const auto y = run_operator(contrib("FusedMatMul", attributes()), {a, b});
  EXPECT_EQ(y[0].dims(), (ir::Dims{2, 2, 1}));
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{5, 15, 100, 200}));
  EXPECT_EQ(error_code(contrib("FusedMatMul", attributes()), {filled({2, 1}), b}),
            ErrorCode::kBadInput);
  EXPECT_EQ(error_code(contrib("FusedMatMul"), {filled({2, 3}), filled({2, 3})}),
            ErrorCode::kBadInput);
  EXPECT_EQ(error_code(contrib("FusedMatMul"), {words({1, 1}, {1}), words({1, 1}, {1})}),
            ErrorCode::kBadInput);
  // Vectors stay what they are.
  EXPECT_EQ(elements<float>(run_operator(contrib("FusedMatMul", with(Attribute("transA", 1))),
                                         {floats({2}, {1, 2}), floats({2, 1}, {3, 4})})[0]),
            (std::vector<float>{11}));
  EXPECT_EQ(shape_text(infer_operator(contrib("FusedMatMul", with(Attribute("transBatchA", 1))),
                                      {facts({named("M"), named("N"), ir::Dim::of(4)}),
                                       facts({named("N"), ir::Dim::of(4), ir::Dim::of(5)})})),
            "[N, M, 5]");
}

TEST(FusedConv, AddendAndActivations) {
  const Tensor x = floats({1, 1, 3}, {-1, 0, 2});
  const auto run = [&](std::vector<Attribute> attributes, const Tensor& z = {}) {
    return elements<float>(run_operator(contrib("FusedConv", std::move(attributes)),
                                        {x, filled({1, 1, 1}, 2), filled({1}, 1), z})[0]);
  };
  EXPECT_EQ(run({}), (std::vector<float>{-1, 1, 5}));
  EXPECT_EQ(run(with(Attribute("activation", "Relu"))), (std::vector<float>{0, 1, 5}));
  EXPECT_EQ(run(with(Attribute("activation", "Relu")), floats({1, 1, 3}, {2, -2, 0})),
            (std::vector<float>{1, 0, 5}));
  const auto leaky = [](std::vector<float> p) {
    return with(Attribute("activation", "LeakyRelu"), Attribute("activation_params", p));
  };
  EXPECT_EQ(run(leaky({0.5f})), (std::vector<float>{-0.5f, 1, 5}));
  EXPECT_EQ(run(with(Attribute("activation", "Clip"),
                     Attribute("activation_params", std::vector<float>{0, 3}))),
            (std::vector<float>{0, 1, 3}));
  EXPECT_EQ(error_of([&] { run(leaky({})); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run(with(Attribute("activation", "Gelu"))); }), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { run({}, filled({1, 1, 1})); }), ErrorCode::kBadInput);
}

TEST(SkipLayerNormalization, SumsAndStatistics) {
  const Tensor x = floats({2, 1, 2}, {1, 2, 0, 0});
  const Tensor skip = floats({1, 2}, {0, 1});
  const Tensor bias = floats({2}, {0, 1});
  const auto y = run_operator(contrib("SkipLayerNormalization", {}, 4),
                              {x, skip, floats({2}, {1, 10}), floats({2}, {5, 0}), bias});
  expect_near(y[0], {4, 10, 4, 10});
  EXPECT_EQ(numbers(y[1]), (std::vector<double>{2.5, 1}));
  EXPECT_NEAR(numbers(y[2])[0], 1 / 1.5, kNear);
  EXPECT_EQ(y[2].dims(), (ir::Dims{2, 1, 1}));
  EXPECT_EQ(numbers(y[3]), (std::vector<double>{1, 4, 0, 2}));
  // Sum [3, 4], root mean square sqrt(12.5).
  expect_near(run_operator(contrib("SkipSimplifiedLayerNormalization"),
                           {floats({1, 2}, {1, 2}), floats({1, 2}, {2, 1}), floats({2}, {1, 1}),
                            floats({2}, {0, 1})})[0],
              {3 / std::sqrt(12.5), 4 / std::sqrt(12.5)});
  const auto bad = [&](const Tensor& input, const Tensor& other, const Tensor& gamma) {
    EXPECT_EQ(error_code(contrib("SkipLayerNormalization"), {input, other, gamma}),
              ErrorCode::kBadInput);
  };
  bad(x, filled({2, 2, 2}), filled({2}));
  bad(x, skip, filled({3}));
  bad(filled({2}), filled({2}), filled({2}));
  bad(filled({2, 0}), filled({2, 0}), filled({0}));
  EXPECT_EQ(
      shape_text(infer_operator(contrib("SkipLayerNormalization", {}, 4),
                                {facts({named("N"), named("S"), ir::Dim::of(8)}),
                                 facts({named("S"), ir::Dim::of(8)}), facts({ir::Dim::of(8)})}),
                 1),
      "[N, S, 1]");
}

TEST(EmbedLayerNormalization, LooksUpAndCounts) {
  std::vector<Tensor> inputs{words({1, 2}, {1, 0}),        words({1, 2}, {0, 1}),
                             floats({2, 2}, {0, 0, 1, 2}), floats({2, 2}, {10, 10, 20, 20}),
                             floats({2, 2}, {0, 1, 0, 5}), floats({2}, {1, 1}),
                             floats({2}, {0, 7}),          words({1, 2}, {1, 0})};
  const auto y = run_operator(contrib("EmbedLayerNormalization", {}, 3), inputs);
  EXPECT_EQ(numbers(y[2]), (std::vector<double>{11, 13, 20, 25}));
  expect_near(y[0], {-1, 8, -1, 8});
  EXPECT_EQ(numbers(y[1]), std::vector<double>{1});
  inputs.push_back(words({1, 2}, {1, 1}));
  EXPECT_EQ(numbers(run_operator(contrib("EmbedLayerNormalization", {}, 3), inputs)[2]),
            (std::vector<double>{21, 23, 20, 25}));
  for (const int32_t id : {2, -1}) {
    inputs[8] = words({1, 2}, {0, id});
    EXPECT_EQ(error_code(contrib("EmbedLayerNormalization", {}, 3), inputs), ErrorCode::kBadInput);
  }
  inputs[8] = words({2, 1}, {0, 1});
  EXPECT_EQ(error_code(contrib("EmbedLayerNormalization", {}, 3), inputs), ErrorCode::kBadInput);
}

// Weights of the query are zero, so that every key seen counts alike; values are the input.
TEST(ContribAttention, MasksAndPast) {
  const Tensor x = floats({1, 3, 1}, {1, 2, 4});
  const Tensor w = floats({1, 3}, {0, 0, 1});
  const auto run = [&](const Tensor& mask, std::vector<Attribute> more = {},
                       const Tensor& past = {}) {
    auto attributes = with(Attribute("num_heads", 1), Attribute("mask_filter_value", -1e30f));
    for (Attribute& a : more) attributes.push_back(std::move(a));
    return run_operator(contrib("Attention", std::move(attributes), 2),
                        {x, w, filled({3}), mask, past});
  };
  const auto unidirectional = [] { return with(Attribute("unidirectional", 1)); };
  expect_near(run({})[0], {7.0 / 3, 7.0 / 3, 7.0 / 3});
  expect_near(run({}, unidirectional())[0], {1, 1.5, 7.0 / 3});
  expect_near(run(words({1}, {2}))[0], {1.5, 1.5, 1.5});  // keys end at 2
  expect_near(run(words({2}, {3, 1}))[0], {3, 3, 3});     // and start at 1
  expect_near(run(words({1, 3}, {1, 0, 1}))[0], {2.5, 2.5, 2.5});
  expect_near(run(words({1, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1}))[0], {1, 2, 4});
  const auto y = run({}, unidirectional(), floats({2, 1, 1, 1, 1}, {0, 8}));
  expect_near(y[0], {4.5, 11.0 / 3, 15.0 / 4});
  EXPECT_EQ(y[1].dims(), (ir::Dims{2, 1, 1, 4, 1}));
  EXPECT_EQ(numbers(y[1]), (std::vector<double>{0, 0, 0, 0, 8, 1, 2, 4}));
  EXPECT_EQ(error_of([&] { run(words({1, 4}, {1, 1, 1, 1})); }), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { run({}, with(Attribute("do_rotary", 1))); }), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { run({}, with(Attribute("num_heads", 0))); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] {
              run({}, with(Attribute("qkv_hidden_sizes", std::vector<int64_t>{1, 2, 0})));
            }),
            ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run({}, {}, filled({2, 1, 2, 1, 1})); }), ErrorCode::kBadInput);
}

// ONNX Runtime's CPU kernel refuses interleaved operands; they mean the same as separate ones.
TEST(MultiHeadAttention, InterleavedOperands) {
  const int64_t positions = 3, heads = 2, size = 2;
  std::vector<float> parts[3];
  std::vector<float> kv, qkv;
  for (int64_t i = 0; i < positions * heads; ++i) {
    for (int64_t part = 0; part < 3; ++part) {
      for (int64_t e = 0; e < size; ++e) {
        const auto v = static_cast<float>(std::sin(static_cast<double>(i * 6 + part * 2 + e)));
        parts[part].push_back(v);
        qkv.push_back(v);
        if (part > 0) kv.push_back(v);
      }
    }
  }
  const ir::Dims dims{1, positions, heads * size};
  const Tensor q = floats(dims, parts[0]);
  const Tensor bias = floats({12}, {1, 0, 0, 2, 0, 3, 1, 0, 0, 0, 5, 0});
  const auto run = [&](const std::vector<Tensor>& inputs) {
    return run_operator(contrib("MultiHeadAttention", with(Attribute("num_heads", 2)), 3), inputs);
  };
  const auto plain = run({q, floats(dims, parts[1]), floats(dims, parts[2]), bias});
  const auto two = run({q, floats({1, positions, heads, 2, size}, kv), kOmitted, bias});
  const auto three = run({floats({1, positions, heads, 3, size}, qkv), kOmitted, kOmitted, bias});
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(numbers(two[i]), numbers(plain[i])) << i;
    EXPECT_EQ(numbers(three[i]), numbers(plain[i])) << i;
  }
  EXPECT_EQ(three[0].dims(), dims);
}

TEST(MultiHeadAttention, ErrorsAndShapes) {
  const auto bad = [](const std::vector<Tensor>& inputs, ErrorCode code = ErrorCode::kBadInput,
                      std::vector<Attribute> more = {}) {
    auto attributes = with(Attribute("num_heads", 2));
    for (Attribute& a : more) attributes.push_back(std::move(a));
    EXPECT_EQ(error_code(contrib("MultiHeadAttention", std::move(attributes)), inputs), code);
  };
  const Tensor q = filled({1, 3, 4});
  bad({q});
  bad({q, q});
  bad({q, filled({1, 3, 6}), q});
  bad({filled({1, 3, 3}), q, q});
  bad({q, q, q, filled({11})});
  bad({q, q, q, kOmitted, words({2}, {1, 1}), filled({1, 2, 3, 4})});
  bad({q, q, q, kOmitted, kOmitted, kOmitted, filled({1, 2, 2, 2})});
  bad({q, q, q, kOmitted, words({5}, {1, 1, 1, 1, 1})}, ErrorCode::kUnsupported);
  bad({q, filled({1, 2, 4}), filled({1, 2, 4})}, ErrorCode::kUnsupported,
      with(Attribute("unidirectional", 1)));
  const auto of = [](int64_t v) { return ir::Dim::of(v); };
  const auto y = infer_operator(
      contrib("MultiHeadAttention", with(Attribute("num_heads", 2)), 4),
      {facts({named("N"), named("S"), of(8)}), facts({named("N"), named("T"), of(8)}),
       facts({named("N"), named("T"), of(6)})});
  EXPECT_EQ(shape_text(y, 0), "[N, S, 6]");
  EXPECT_EQ(shape_text(y, 1), "[N, 2, T, 4]");
  EXPECT_EQ(shape_text(y, 2), "[N, 2, T, 3]");
  EXPECT_EQ(shape_text(y, 3), "[N, 2, S, T]");
  const auto packed = infer_operator(
      contrib("Attention", with(Attribute("num_heads", 2)), 2),
      {facts({named("N"), named("S"), of(5)}), facts({of(5), of(24)}), facts({of(24)})});
  EXPECT_EQ(shape_text(packed, 0), "[N, S, 8]");
  EXPECT_EQ(shape_text(packed, 1), "[2, N, 2, S, 4]");
}

TEST(ContribRotaryEmbedding, PositionsFromAnOffset) {
  const Tensor x = floats({1, 2, 2}, {1, 2, 3, 4});
  const Tensor cosines = floats({3, 1}, {5, 1, 0});
  const Tensor sines = floats({3, 1}, {5, 0, 1});
  const auto run = [&](Tensor ids) {
    return run_operator(contrib("RotaryEmbedding"), {x, ids, cosines, sines})[0];
  };
  EXPECT_EQ(numbers(run(longs({1}))), (std::vector<double>{1, 2, -4, 3}));
  EXPECT_EQ(numbers(run(Tensor::of<int64_t>({1, 2}, {2, 1}))), (std::vector<double>{-2, 1, 3, 4}));
  for (const int64_t first : {int64_t{2}, int64_t{-1}, INT64_MAX}) {
    EXPECT_EQ(error_of([&] { run(longs({first})); }), ErrorCode::kBadInput);
  }
  EXPECT_EQ(error_of([&] { run(longs({1, 2})); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_code(contrib("RotaryEmbedding", with(Attribute("is_packed_batching", 1))),
                       {x, longs({1}), cosines, sines}),
            ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace fettle::test
