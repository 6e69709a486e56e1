#include "report/bench.h"

#include <gtest/gtest.h>

#include <chrono>

#include "report/worker.h"

namespace fettle::report {
namespace {

TEST(Worker, AnswersLineByLine) {
  Worker cat("/bin/cat", {"cat"}, 10);
  EXPECT_EQ(cat.ask("one"), "one");
  EXPECT_EQ(cat.ask("two"), "two");
  EXPECT_GT(cat.finish(), 0);
}

TEST(Worker, OneThatHangsIsEndedAndSaidToHang) {
  const auto start = std::chrono::steady_clock::now();
  Worker sleeper("/bin/sleep", {"sleep", "60"}, 0.2);
  EXPECT_EQ(sleeper.read_line(), std::nullopt);
  EXPECT_NE(sleeper.failure().find("did not answer"), std::string::npos);
  sleeper.finish();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Worker, OneThatEndsIsSaidToHaveEnded) {
  Worker none("/bin/true", {"true"}, 10);
  EXPECT_EQ(none.read_line(), std::nullopt);
  EXPECT_NE(none.failure().find("ended"), std::string::npos);
}

std::vector<BenchResult> results_for(const std::vector<std::string>& labels) {
  std::vector<BenchResult> results(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) results[i].request.label = labels[i];
  return results;
}

TEST(DisplayNames, AreAsShortAsTheyCanBeTold) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(display_names(results_for({"/m/a.onnx", "/m/b.onnx", "/m/a.onnx"})), (Names{"a.onnx", "b.onnx", "a.onnx"}));
  EXPECT_EQ(display_names(results_for({"model.onnx", "out/model.onnx"})), (Names{"model.onnx", "out/model.onnx"}));
  EXPECT_EQ(display_names(results_for({"x/1/model.onnx", "y/1/model.onnx"})),
            (Names{"x/1/model.onnx", "y/1/model.onnx"}));
}

TEST(ReliabilityNote, ComesWithScatteredRuns) {
  std::vector<BenchResult> results(1);
  results[0].milliseconds = {1, 1, 1, 1.2};
  EXPECT_EQ(reliability_note(results), "");
  results[0].milliseconds = {1, 1, 1, 9};
  EXPECT_NE(reliability_note(results).find("busy"), std::string::npos);
}

}  // namespace
}  // namespace fettle::report
