#include "interp/executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "interp/random_feeds.h"
#include "ir/buffer.h"
#include "ir/error.h"
#include "support/text_model.h"

namespace fettle {
namespace {

using interp::Executor;
using interp::ExecutorOptions;
using interp::Feeds;
using interp::Observed;
using ir::Tensor;

// The message of the Error that `work` throws; a test failure when it throws none.
template <typename Work>
std::string error_of(Work&& work, ErrorCode code) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an error";
  return "";
}

ir::Model add_model() {
  return test::parse_text_graph(
      "add (float[N, 3] x, float[N, 3] y) => (float[N, 3] z) { z = Add(x, y) }");
}

TEST(Executor, ComputesTheGraph) {
  const ir::Model model = add_model();
  Executor executor(model);
  const auto out = executor.run({{"x", Tensor::of<float>({1, 3}, {1, 2, 3})},
                                 {"y", Tensor::of<float>({1, 3}, {10, 20, 30})}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_TRUE(identical(out[0].tensor, Tensor::of<float>({1, 3}, {11, 22, 33})));
}

TEST(Executor, MissingInputListsWhatIsExpected) {
  const ir::Model model = add_model();
  Executor executor(model);
  const std::string message = error_of(
      [&] {
        executor.run({{"x", Tensor::of<float>({1, 3}, {1, 2, 3})}});
      },
      ErrorCode::kBadInput);
  EXPECT_NE(message.find("'y'"), std::string::npos) << message;
  EXPECT_NE(message.find("[N, 3]"), std::string::npos) << message;
}

TEST(Executor, UnknownInputIsNamed) {
  const ir::Model model = add_model();
  Executor executor(model);
  const std::string message = error_of(
      [&] {
        executor.run({{"image", Tensor::of<float>({1, 3}, {1, 2, 3})}});
      },
      ErrorCode::kBadInput);
  EXPECT_NE(message.find("'image'"), std::string::npos) << message;
}

TEST(Executor, WrongTypeRankExtentAndSymbolAreRefused) {
  const ir::Model model = add_model();
  Executor executor(model);
  const Tensor good = Tensor::of<float>({1, 3}, {1, 2, 3});
  const std::vector<Tensor> bad{
      Tensor::of<int64_t>({1, 3}, {1, 2, 3}), Tensor::of<float>({3}, {1, 2, 3}),
      Tensor::of<float>({1, 2}, {1, 2}), Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})};
  for (const Tensor& y : bad) {
    const std::string message = error_of(
        [&] {
          executor.run({{"x", good}, {"y", y}});
        },
        ErrorCode::kBadInput);
    EXPECT_NE(message.find("'y'"), std::string::npos) << message;
  }
}

TEST(Executor, InitializerStandsInForAnInputAndCanBeOverridden) {
  ir::Model model =
      test::parse_text_graph("g (float[2] x, float[2] w) => (float[2] z) { z = Mul(x, w) }");
  model.graph->set_initializer(*model.graph->find("w"),
                               ir::StoredTensor{Tensor::of<float>({2}, {2, 3}), {}, {}});
  Executor executor(model);
  const Tensor x = Tensor::of<float>({2}, {10, 10});
  EXPECT_TRUE(identical(executor.run({{"x", x}})[0].tensor, Tensor::of<float>({2}, {20, 30})));
  const auto other = executor.run({{"x", x}, {"w", Tensor::of<float>({2}, {5, 6})}});
  EXPECT_TRUE(identical(other[0].tensor, Tensor::of<float>({2}, {50, 60})));
  EXPECT_TRUE(identical(executor.run({{"x", x}})[0].tensor, Tensor::of<float>({2}, {20, 30})));
}

TEST(Executor, UnknownOperatorIsNamedWithDomainAndOpset) {
  const ir::Model model = test::parse_text_model(
      "<ir_version: 8, opset_import: [\"\" : 17, \"com.example\" : 3]> "
      "g (float[1] x) => (float[1] z) { z = com.example.Frobnicate(x) }");
  const std::string message = error_of([&] { Executor executor(model); }, ErrorCode::kUnsupported);
  for (const char* part : {"Frobnicate", "com.example", "3"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST(Executor, KernelErrorsNameTheNode) {
  const ir::Model model =
      test::parse_text_graph("g (float[A] x, float[B] y) => (float[C] z) { z = Add(x, y) }");
  Executor executor(model);
  const std::string message = error_of(
      [&] {
        executor.run(
            {{"x", Tensor::of<float>({2}, {1, 2})}, {"y", Tensor::of<float>({3}, {1, 2, 3})}});
      },
      ErrorCode::kBadInput);
  EXPECT_NE(message.find("(Add)"), std::string::npos) << message;
}

TEST(Executor, IfReadsOuterValuesAndConstants) {
  const ir::Model model = test::parse_text_graph(R"(
    g (bool c, float[2] x) => (float[2] z) {
      w = Constant <value = float[2] {100.0, 200.0}> ()
      y = Mul(x, x)
      z = If (c) <then_branch = t () => (float[2] a) { a = Add(y, w) },
                  else_branch = e () => (float[2] b) { b = Sub(y, x) }>
    })");
  Executor executor(model);
  const Tensor x = Tensor::of<float>({2}, {2, 3});
  EXPECT_TRUE(identical(executor.run({{"c", Tensor::scalar(true)}, {"x", x}})[0].tensor,
                        Tensor::of<float>({2}, {104, 209})));
  EXPECT_TRUE(identical(executor.run({{"c", Tensor::scalar(false)}, {"x", x}})[0].tensor,
                        Tensor::of<float>({2}, {2, 6})));
}

const char* const kLoop = R"(
    g (int64 n, float[1] x) => (float[1] last) {
      go = Constant <value = bool {1}> ()
      twice = Add(x, x)
      last = Loop (n, go, x) <body = b (int64 i, bool c, float[1] v) => (bool d, float[1] w) {
        d = Identity(c)
        w = Add(v, twice)
      }>
    })";

TEST(Executor, LoopCarriesValuesAndReadsOuterOnes) {
  const ir::Model model = test::parse_text_graph(kLoop);
  Executor executor(model);
  const auto out =
      executor.run({{"n", Tensor::scalar<int64_t>(5)}, {"x", Tensor::of<float>({1}, {1})}});
  EXPECT_TRUE(identical(out[0].tensor, Tensor::of<float>({1}, {11})));
}

TEST(Executor, LoopStopsAtTheIterationLimit) {
  const ir::Model model = test::parse_text_graph(kLoop);
  Executor executor(model, {.exact = false, .threads = 1, .iteration_limit = 10});
  error_of(
      [&] {
        executor.run({{"n", Tensor::scalar<int64_t>(11)}, {"x", Tensor::of<float>({1}, {1})}});
      },
      ErrorCode::kLimit);
}

TEST(Executor, ObserversSeeInputsConstantsAndFusedValues) {
  const ir::Model with_weights = test::parse_text_graph(R"(
    g (float[1, 2, 5, 5] x, float[3, 2, 3, 3] w) => (float[1, 3, 3, 3] z) {
      y = Conv(x, w)
      z = Relu(y)
    })");
  for (const bool exact : {false, true}) {
    Executor executor(with_weights, {.exact = exact});
    std::map<std::string, Tensor> seen, unordered;
    executor.observe({"x", "y", "z"},
                     [&](const std::string& name, Observed& value) {
                       seen[name] = value.tensor();
                       unordered[name] = value.unordered();
                     });
    const Feeds feeds = test::random_feeds(with_weights, 3);
    const auto out = executor.run(feeds);
    ASSERT_EQ(seen.size(), 3u);
    EXPECT_TRUE(identical(seen["x"], feeds.at("x").tensor));
    EXPECT_TRUE(identical(seen["z"], out[0].tensor));
    bool negative = false;
    for (const float v : seen["y"].data<float>()) negative = negative || v < 0;
    EXPECT_TRUE(negative) << "the value before Relu must be seen";
    for (const auto& [name, tensor] : seen) {
      const auto sorted = [](const Tensor& t) {
        std::vector<float> values(t.data<float>().begin(), t.data<float>().end());
        std::sort(values.begin(), values.end());
        return values;
      };
      EXPECT_EQ(sorted(tensor), sorted(unordered.at(name))) << name;
    }
  }
}

TEST(Executor, ObservingAnUnknownValueIsAUsageError) {
  const ir::Model model = add_model();
  Executor executor(model);
  error_of([&] { executor.observe({"nothing"}, {}); }, ErrorCode::kUsage);
}

TEST(Executor, ReleasesActivationsAfterTheirLastUse) {
  // A chain of 16 values of 4 MiB each: two or three live at a time.
  std::string text = "g (float[1048576] x0) => (float[1048576] x16) {";
  for (int i = 0; i < 16; ++i) {
    text += "x" + std::to_string(i + 1) + " = Floor(x" + std::to_string(i) + ")\n";
  }
  const ir::Model model = test::parse_text_graph(text + "}");
  for (const bool exact : {false, true}) {
    Executor executor(model, {.exact = exact});
    const Feeds feeds = test::random_feeds(model, 1);
    const size_t before = ir::memory_in_use();
    ir::reset_memory_peak();
    executor.run(feeds);
    EXPECT_LE(ir::memory_peak() - before, size_t{3} * 4 * 1048576);
  }
}

TEST(Executor, RunsModelLocalFunctions) {
  const ir::Model model = test::parse_text_model(R"(
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[2] x) => (float[2] z) { z = local.twice_plus(x, x) }
    <domain: "local", opset_import: ["" : 17]>
    twice_plus (a, b) => (c) { t = Add(a, a) c = Add(t, b) })");
  Executor executor(model);
  EXPECT_TRUE(identical(executor.run({{"x", Tensor::of<float>({2}, {1, 2})}})[0].tensor,
                        Tensor::of<float>({2}, {3, 6})));
}

TEST(Executor, AnErrorLeavesItUsable) {
  const ir::Model model = add_model();
  Executor executor(model);
  EXPECT_THROW(executor.run({}), Error);
  const Tensor x = Tensor::of<float>({1, 3}, {1, 2, 3});
  EXPECT_EQ(executor.run({{"x", x}, {"y", x}}).size(), 1u);
}

TEST(Executor, NegativeThreadCountIsAUsageError) {
  const ir::Model model = add_model();
  error_of([&] { Executor executor(model, {.exact = false, .threads = -1}); }, ErrorCode::kUsage);
}

TEST(Executor, ClipWithoutABoundHasTheLargestFloatAsBound) {
  const ir::Model model = test::parse_text_graph(
      "g (float[4] x, float lo) => (float[4] y) { y = Clip(x, lo) }");
  const float infinity = std::numeric_limits<float>::infinity();
  for (const bool exact : {false, true}) {
    const auto out = test::run_model(model,
                                     {{"x", Tensor::of<float>({4}, {-infinity, -1, 2, infinity})},
                                      {"lo", Tensor::scalar(0.0f)}},
                                     {.exact = exact});
    EXPECT_EQ(out[0].tensor.data<float>()[3], std::numeric_limits<float>::max());
    EXPECT_EQ(out[0].tensor.data<float>()[0], 0.0f);
  }
}

}  // namespace
}  // namespace fettle
