// Attention and the operators around it: what the conformance cases leave open. A query of zeros
// attends to all keys that it sees alike, so that outputs are means of values.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/error.h"
#include "ops/run_operator.h"
#include "ops/run_text.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Tensor;

constexpr double kNear = 1e-6;
const Tensor kOmitted;

Tensor zeros(ir::Dims dims, ir::DataType type = ir::DataType::kFloat) {
  Tensor t(type, std::move(dims));
  std::fill_n(reinterpret_cast<uint8_t*>(t.mutable_bytes()), t.byte_size(), uint8_t{0});
  return t;
}

// Values 1, 2, 4, 8, ... of heads of size 1: a sum tells which ones went into it.
Tensor powers(ir::Dims dims) {
  Tensor t(ir::DataType::kFloat, std::move(dims));
  float next = 1;
  for (float& v : t.mutable_data<float>()) v = std::exchange(next, 2 * next);
  return t;
}

Operator attention(int64_t opset, std::vector<Attribute> attributes = {}, size_t outputs = 1) {
  return {"Attention", opset, std::move(attributes), outputs};
}

void expect_near(const Tensor& tensor, const std::vector<double>& expected) {
  const auto found = numbers(tensor);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], kNear) << i;
}

ErrorCode error_code(Operator op, const std::vector<Tensor>& inputs) {
  return error_of([&] { run_operator(std::move(op), inputs); });
}

TEST(Attention, CausalQueriesSeePastKeys) {
  const auto y = run_operator(
      attention(23, with(Attribute("is_causal", 1)), 3),
      {zeros({1, 1, 2, 1}), zeros({1, 1, 2, 1}), Tensor::of<float>({1, 1, 2, 1}, {4, 8}), kOmitted,
       zeros({1, 1, 2, 1}), Tensor::of<float>({1, 1, 2, 1}, {1, 2})});
  expect_near(y[0], {7.0 / 3, 15.0 / 4});
  EXPECT_EQ(y[1].dims(), (ir::Dims{1, 1, 4, 1}));
  EXPECT_EQ(elements<float>(y[2]), (std::vector<float>{1, 2, 4, 8}));
}

// The window of the specification's figure: left 2, right 1.
TEST(Attention, WindowsAroundTheQuery) {
  const std::vector<Tensor> inputs{zeros({1, 1, 4, 1}), zeros({1, 1, 6, 1}), powers({1, 1, 6, 1})};
  const auto window = [] {
    return with(Attribute("left_window_size", 2), Attribute("right_window_size", 1));
  };
  expect_near(run_operator(attention(25, window()), inputs)[0],
              {3.0 / 2, 7.0 / 3, 15.0 / 4, 30.0 / 4});
  // Version 24 knows no windows.
  expect_near(run_operator(attention(24, window()), inputs)[0],
              {63.0 / 6, 63.0 / 6, 63.0 / 6, 63.0 / 6});
  auto causal = window();
  causal.emplace_back("is_causal", 1);
  expect_near(run_operator(attention(25, std::move(causal)), inputs)[0],
              {1, 3.0 / 2, 7.0 / 3, 14.0 / 3});
  EXPECT_EQ(error_code(attention(25, with(Attribute("left_window_size", -2))), inputs),
            ErrorCode::kBadInput);
}

TEST(Attention, PaddingShiftsTheCausalDiagonal) {
  const std::vector<Tensor> inputs{zeros({2, 1, 2, 1}),
                                   zeros({2, 1, 3, 1}),
                                   Tensor::of<float>({2, 1, 3, 1}, {1, 2, 4, 8, 16, 32}),
                                   kOmitted,
                                   kOmitted,
                                   kOmitted,
                                   longs({3, 1})};
  const auto y = run_operator(attention(24, with(Attribute("is_causal", 1))), inputs);
  // The second sample has one key for two queries: the first query sees none.
  expect_near(y[0], {1.5, 7.0 / 3, 0, 8});
  auto wrong = inputs;
  for (const Longs& counts : {Longs{4, 1}, Longs{-1, 1}, Longs{1}}) {
    wrong[6] = longs(counts);
    EXPECT_EQ(error_code(attention(24), wrong), ErrorCode::kBadInput);
  }
}

TEST(Attention, MasksOfEveryKind) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<Tensor> inputs{zeros({1, 2, 1, 1}), zeros({1, 1, 3, 1}), powers({1, 1, 3, 1}), {}};
  // Heads of the query share those of keys; one mask per head.
  inputs[3] = Tensor::of<bool>({2, 1, 3}, {true, false, true, false, false, false});
  expect_near(run_operator(attention(23), inputs)[0], {2.5, 0});
  inputs[3] = Tensor::of<float>({1, 3}, {0, -inf, std::log(3.0f)});
  expect_near(run_operator(attention(23), inputs)[0], {13.0 / 4, 13.0 / 4});
  inputs[3] = Tensor::of<int32_t>({3}, {7, 7, 7});
  expect_near(run_operator(attention(23), inputs)[0], {7.0 / 3, 7.0 / 3});
  // Shorter masks are padded since version 24 only.
  inputs[3] = Tensor::of<bool>({1, 2}, {true, true});
  expect_near(run_operator(attention(24), inputs)[0], {1.5, 1.5});
  EXPECT_EQ(error_code(attention(23), inputs), ErrorCode::kBadInput);
  for (const ir::Dims& dims : {ir::Dims{1, 4}, ir::Dims{3, 1, 3}, ir::Dims{1, 1, 1, 1, 3}}) {
    inputs[3] = zeros(dims);
    EXPECT_EQ(error_code(attention(24), inputs), ErrorCode::kBadInput);
  }
}

TEST(Attention, StagesOfTheScores) {
  const std::vector<Tensor> inputs{Tensor::of<float>({1, 1, 1, 1}, {2}),
                                   Tensor::of<float>({1, 1, 2, 1}, {1, 3}), powers({1, 1, 2, 1}),
                                   Tensor::of<float>({1, 2}, {0, -1})};
  const auto stage = [&](int64_t mode) {
    return run_operator(attention(23,
                                  with(Attribute("qk_matmul_output_mode", mode),
                                       Attribute("softcap", 4.0f), Attribute("scale", 0.5f)),
                                  4),
                        inputs)[3];
  };
  const double capped[] = {4 * std::tanh(0.25), 4 * std::tanh(0.75)};
  const double first = 1 / (1 + std::exp(capped[1] - 1 - capped[0]));
  expect_near(stage(0), {1, 3});
  expect_near(stage(1), {capped[0], capped[1]});
  expect_near(stage(2), {capped[0], capped[1] - 1});
  expect_near(stage(3), {first, 1 - first});
  EXPECT_EQ(error_of([&] { stage(4); }), ErrorCode::kBadInput);
}

TEST(Attention, PackedHeadsAndTypes) {
  using enum ir::DataType;
  for (const ir::DataType type : {kFloat, kDouble, kFloat16, kBfloat16}) {
    const auto y = run_operator(
        attention(23, with(Attribute("q_num_heads", 2), Attribute("kv_num_heads", 1))),
        {zeros({1, 3, 4}, type), zeros({1, 2, 2}, type), half_tensor({1, 2, 1}, {1, 4})});
    EXPECT_EQ(y[0].type(), type);
    EXPECT_EQ(y[0].dims(), (ir::Dims{1, 3, 2}));
    EXPECT_EQ(numbers(y[0]), std::vector<double>(6, 2.5));
  }
}

TEST(Attention, Errors) {
  const auto bad = [](std::vector<Attribute> attributes, const std::vector<ir::Dims>& dims) {
    std::vector<Tensor> inputs;
    for (const ir::Dims& d : dims) inputs.push_back(d.empty() ? Tensor() : zeros(d));
    EXPECT_EQ(error_code(attention(24, std::move(attributes)), inputs), ErrorCode::kBadInput);
  };
  bad({}, {{1, 2, 4}, {1, 2, 4}, {1, 2, 4}});  // no numbers of heads
  bad(with(Attribute("q_num_heads", 3), Attribute("kv_num_heads", 1)),
      {{1, 2, 4}, {1, 2, 4}, {1, 2, 4}});
  bad({}, {{1, 3, 2, 4}, {1, 2, 2, 4}, {1, 2, 2, 4}});                    // 3 heads share 2
  bad({}, {{1, 2, 2, 4}, {1, 2, 2, 3}, {1, 2, 2, 4}});                    // head sizes
  bad({}, {{1, 2, 2, 4}, {1, 2, 2, 4}, {1, 2, 3, 4}});                    // positions
  bad({}, {{2, 2, 2, 4}, {1, 2, 2, 4}, {1, 2, 2, 4}});                    // batches
  bad({}, {{1, 2, 2, 4}, {1, 2, 8}, {1, 2, 2, 4}});                       // ranks
  bad({}, {{1, 2, 2, 0}, {1, 2, 2, 0}, {1, 2, 2, 4}});                    // empty heads
  bad({}, {{1, 1, 2, 4}, {1, 1, 2, 4}, {1, 1, 2, 4}, {}, {1, 1, 2, 4}});  // past_value is missing
  bad({}, {{1, 1, 2, 4}, {1, 1, 2, 4}, {1, 1, 2, 4}, {}, {1, 2, 2, 4}, {1, 1, 2, 4}});
  bad(with(Attribute("softmax_precision", 7)), {{1, 1, 2, 4}, {1, 1, 2, 4}, {1, 1, 2, 4}});
  bad(with(Attribute("softcap", -1.0f)), {{1, 1, 2, 4}, {1, 1, 2, 4}, {1, 1, 2, 4}});
}

TEST(Attention, EmptyAndHugeShapes) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  // No keys: nothing to attend to.
  EXPECT_EQ(numbers(run_operator(
                attention(23), {zeros({1, 1, 2, 3}), zeros({1, 1, 0, 3}), zeros({1, 1, 0, 1})})[0]),
            std::vector<double>(2, 0.0));
  for (const ir::Dims& dims :
       {ir::Dims{kHuge, 0, kHuge, 1}, ir::Dims{0, kHuge, kHuge, kHuge}, ir::Dims{kHuge, 1, 0, 1}}) {
    const Tensor t = zeros(dims);
    try {
      EXPECT_EQ(run_operator(attention(24, {}, 4), {t, t, t})[0].size(), 0);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    }
  }
  EXPECT_EQ(error_code(attention(23),
                       {zeros({1, kHuge, 0, 1}), zeros({1, 1, 0, kHuge}), zeros({1, 1, 0, 1})}),
            ErrorCode::kBadInput);
}

TEST(Attention, SymbolicShapes) {
  const auto n = [](const char* name) { return ir::Dim::named(name); };
  const auto of = [](int64_t v) { return ir::Dim::of(v); };
  const auto facts = [](ir::Shape shape) {
    return tensor_facts(ir::DataType::kFloat, std::move(shape));
  };
  auto y = infer_operator(
      attention(23, with(Attribute("q_num_heads", 4), Attribute("kv_num_heads", 2)), 4),
      {facts({n("N"), n("S"), of(32)}), facts({n("N"), n("S"), of(16)}),
       facts({n("N"), n("S"), of(10)}), facts({n("S"), n("T")}),
       facts({n("N"), of(2), n("P"), of(8)}), facts({n("N"), of(2), n("P"), of(5)})});
  EXPECT_EQ(ir::to_string(*y[0].type.shape), "[N, S, 20]");
  EXPECT_EQ(ir::to_string(*y[1].type.shape), "[N, 2, P+S, 8]");
  EXPECT_EQ(ir::to_string(*y[2].type.shape), "[N, 2, P+S, 5]");
  EXPECT_EQ(ir::to_string(*y[3].type.shape), "[N, 4, S, P+S]");
  y = infer_operator(attention(23),
                     {facts({n("N"), of(4), n("S"), of(8)}), facts({n("N"), of(2), n("T"), of(8)}),
                      facts({n("N"), of(2), n("T"), of(5)})});
  EXPECT_EQ(ir::to_string(*y[0].type.shape), "[N, 4, S, 5]");
  y = infer_operator({"LinearAttention", 27,
                      with(Attribute("q_num_heads", 4), Attribute("kv_num_heads", 2),
                           Attribute("update_rule", "linear")),
                      2},
                     {facts({n("N"), n("T"), of(12)}), facts({n("N"), n("T"), of(6)}),
                      facts({n("N"), n("T"), of(10)})});
  EXPECT_EQ(ir::to_string(*y[0].type.shape), "[N, T, 20]");
  EXPECT_EQ(ir::to_string(*y[1].type.shape), "[N, 2, 3, 5]");
  y = infer_operator({"CausalConvWithState", 27, {}, 2},
                     {facts({n("N"), of(4), n("L")}), facts({of(4), of(1), of(3)})});
  EXPECT_EQ(ir::to_string(*y[0].type.shape), "[N, 4, L]");
  EXPECT_EQ(ir::to_string(*y[1].type.shape), "[N, 4, 2]");
}

TEST(FlexAttention, SubgraphsMustKeepTheShape) {
  const auto run = [](const std::string& body) {
    const ir::Model model = parse_text_model(
        "<ir_version: 11, opset_import: [\"\" : 22, \"ai.onnx.preview\" : 1]>\n"
        "g (float[1,1,2,1] q, float[1,1,3,1] k, float[1,1,3,1] v) => (float[1,1,2,1] y) {\n"
        "  y = ai.onnx.preview.FlexAttention <score_mod = m (float[1,1,2,3] s) => (t) {" +
        body + "}> (q, k, v)\n}");
    interp::ExecutorOptions options;
    options.exact = true;
    return interp::Executor(model, options)
        .run({{"q", zeros({1, 1, 2, 1})}, {"k", zeros({1, 1, 3, 1})}, {"v", powers({1, 1, 3, 1})}})
        .at(0)
        .tensor;
  };
  expect_near(run("t = Neg (s)"), {7.0 / 3, 7.0 / 3});
  EXPECT_EQ(error_of([&] { run("t = ReduceSum (s)"); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run("t = Cast <to = 11> (s)"); }), ErrorCode::kBadInput);
}

TEST(RotaryEmbedding, QuarterTurns) {
  const Tensor x = Tensor::of<float>({1, 1, 1, 6}, {1, 2, 3, 4, 5, 6});
  const Tensor cosines = Tensor::of<float>({2, 2}, {1, 1, 0, 0});
  const Tensor sines = Tensor::of<float>({2, 2}, {0, 0, 1, 1});
  const auto turned = [&](int64_t interleaved, int64_t position) {
    return elements<float>(run_operator(
        {"RotaryEmbedding", 23,
         with(Attribute("rotary_embedding_dim", 4), Attribute("interleaved", interleaved))},
        {x, cosines, sines, Tensor::of<int64_t>({1, 1}, {position})})[0]);
  };
  EXPECT_EQ(turned(0, 1), (std::vector<float>{-3, -4, 1, 2, 5, 6}));
  EXPECT_EQ(turned(1, 1), (std::vector<float>{-2, 1, -4, 3, 5, 6}));
  EXPECT_EQ(turned(1, 0), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(error_of([&] { turned(0, 2); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { turned(0, -1); }), ErrorCode::kBadInput);
  // Caches of the wrong width, and no number of heads for an input of rank 3.
  const Tensor ids = Tensor::of<int64_t>({1, 1}, {0});
  EXPECT_EQ(error_code({"RotaryEmbedding", 23}, {x, cosines, sines, ids}), ErrorCode::kBadInput);
  EXPECT_EQ(error_code({"RotaryEmbedding", 23}, {zeros({1, 1, 4}), cosines, sines, ids}),
            ErrorCode::kBadInput);
}

TEST(TensorScatter, EveryElementType) {
  const auto scatter = [](const Tensor& cache, const Tensor& update, Longs at, const char* mode) {
    return run_operator({"TensorScatter", 24, with(Attribute("mode", mode), Attribute("axis", 1))},
                        {cache, update, longs(at)})[0];
  };
  const Tensor words = Tensor::of_strings({2, 3}, {"a", "b", "c", "d", "e", "f"});
  const Tensor update = Tensor::of_strings({2, 2}, {"1", "2", "3", "4"});
  EXPECT_EQ(scatter(words, update, {1, 0}, "linear").strings(),
            (std::vector<std::string>{"a", "1", "2", "3", "4", "f"}));
  EXPECT_EQ(scatter(words, update, {2, 4}, "circular").strings(),
            (std::vector<std::string>{"2", "b", "1", "d", "3", "4"}));
  EXPECT_EQ(error_of([&] { scatter(words, update, {2, 0}, "linear"); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { scatter(words, update, {-1, 0}, "linear"); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] {
              scatter(words, update, {INT64_MAX, 0}, "linear");
            }),
            ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { scatter(words, update, {0}, "linear"); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { scatter(words, words, {0, 0}, "reverse"); }), ErrorCode::kBadInput);
  Tensor nibbles(ir::DataType::kInt4, {1, 3});
  nibbles.mutable_bytes()[0] = std::byte{0x21};
  nibbles.mutable_bytes()[1] = std::byte{0x03};
  Tensor one(ir::DataType::kInt4, {1, 1});
  one.mutable_bytes()[0] = std::byte{0x07};
  EXPECT_EQ(numbers(scatter(nibbles, one, {1}, "linear")), (std::vector<double>{1, 7, 3}));
}

TEST(LinearAttention, RulesByHand) {
  const auto column = [](std::vector<float> v) {
    return Tensor::of<float>({1, static_cast<int64_t>(v.size()), 1}, v);
  };
  const auto run = [&](const char* rule, const Tensor& decay, const Tensor& beta) {
    return run_operator({"LinearAttention", 27,
                         with(Attribute("q_num_heads", 1), Attribute("kv_num_heads", 1),
                              Attribute("update_rule", rule)),
                         2},
                        {column({1, 1}), column({2, 2}), column({3, 5}), kOmitted, decay, beta});
  };
  const Tensor halve = column({0, std::log(0.5f)});
  const Tensor rate = column({1, 0.5f});
  expect_near(run("linear", {}, {})[0], {6, 16});
  expect_near(run("gated", halve, {})[0], {6, 13});
  // 6, then 6 + 2 * 0.5 * (5 - 12)
  expect_near(run("delta", {}, rate)[0], {6, -1});
  // 6, then 3 + 2 * 0.5 * (5 - 6)
  const auto y = run("gated_delta", halve, rate);
  expect_near(y[0], {6, 2});
  expect_near(y[1], {2});
  EXPECT_EQ(error_of([&] { run("linear", halve, {}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run("delta", {}, {}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run("delta", {}, column({1})); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run("quadratic", {}, {}); }), ErrorCode::kBadInput);
}

TEST(CausalConvWithState, StateAndErrors) {
  const auto run = [](ir::Dims weights, std::vector<Tensor> more) {
    std::vector<Tensor> inputs{Tensor::of<float>({1, 1, 2}, {1, 2}),
                               Tensor(ir::DataType::kFloat, weights)};
    for (float& w : inputs[1].mutable_data<float>()) w = 1;
    inputs.insert(inputs.end(), more.begin(), more.end());
    return run_operator({"CausalConvWithState", 27, {}, 2}, inputs);
  };
  const auto y = run({1, 1, 4}, {kOmitted, Tensor::of<float>({1, 1, 3}, {10, 20, 30})});
  EXPECT_EQ(elements<float>(y[0]), (std::vector<float>{61, 53}));
  EXPECT_EQ(elements<float>(y[1]), (std::vector<float>{30, 1, 2}));
  EXPECT_EQ(error_of([&] { run({2, 1, 4}, {}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run({1, 1, 0}, {}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run({1, 1, 4}, {zeros({2})}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { run({1, 1, 4}, {kOmitted, zeros({1, 1, 2})}); }), ErrorCode::kBadInput);
  // A batch beyond counting of nothing.
  const auto none = run_operator({"CausalConvWithState", 27, {}, 2},
                                 {zeros({int64_t{1} << 40, 1, 0}), zeros({1, 1, 1})});
  EXPECT_EQ(none[0].size() + none[1].size(), 0);
}

}  // namespace
}  // namespace fettle::test
