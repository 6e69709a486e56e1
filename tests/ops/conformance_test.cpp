// ONNX's own conformance cases against the operator table. Every case must pass but those on the
// reviewed lists below, which say why not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "ir/error.h"
#include "ir/io.h"
#include "ops/conformance_cases.h"

namespace fettle::test {
namespace {

// Operators that fettle will never compute, and why.
const std::map<std::string, std::string> kNever = {
    {"ImageDecoder", "decoding image files is not the work of a network"},
    {"ai.onnx.preview.training.Adagrad", "training"},
    {"ai.onnx.preview.training.Adam", "training"},
    {"ai.onnx.preview.training.Gradient", "training"},
    {"ai.onnx.preview.training.Momentum", "training"},
};

// Cases whose expected values come from a generator without a seed.
const std::string kNoSeed = "random numbers without a seed";
const std::map<std::string, std::string> kExceptions = {
    {"test_bernoulli", kNoSeed},
    {"test_bernoulli_double", kNoSeed},
    {"test_bernoulli_double_expanded", kNoSeed},
    {"test_bernoulli_expanded", kNoSeed},
    {"test_bernoulli_seed", kNoSeed},  // its numbers were not drawn from the seed it states
    {"test_bernoulli_seed_expanded", kNoSeed},
};

// Cases whose expected values carry more rounding than the tolerance allows: factor on the
// tolerance that covers it.
const std::map<std::string, double> kRoundedExpectations = {
    // Computed in float: 1.9e-7 where the transform's sum is zero.
    {"test_dft_inverse", 10},
    {"test_dft_inverse_opset19", 10},
};

struct Tally {
  int passed = 0;
  int failed = 0;
  std::map<std::string, int> skipped;  // by reason
  std::vector<std::string> failures;

  int skips() const {
    int total = 0;
    for (const auto& [reason, count] : skipped) total += count;
    return total;
  }
};

// What is wrong with the outputs, or nothing.
std::optional<std::string> run_case(const ir::Model& model, const ConformanceCase& test_case,
                                    const interp::ExecutorOptions& options, double slack) {
  interp::Executor executor(model, options);
  for (const auto& data_set : data_sets(test_case)) {
    const auto expected = load_outputs(model, data_set);
    const auto actual = executor.run(load_feeds(model, data_set));
    if (expected.empty() || actual.size() < expected.size()) return "too few outputs";
    for (size_t i = 0; i < expected.size(); ++i) {
      if (auto what = difference(actual[i], expected[i], slack)) {
        return fmt::format("output {}: {}", i, *what);
      }
    }
  }
  return std::nullopt;
}

// An operator without a row that is not on the list makes the case fail when it runs.
std::optional<std::string> reason_to_skip(const ir::Model& model, const std::string& name) {
  if (kExceptions.contains(name)) return kExceptions.at(name);
  const auto missing = unclaimed_operator(model);
  if (!missing || !kNever.contains(*missing)) return std::nullopt;
  return fmt::format("{}: {}", *missing, kNever.at(*missing));
}

void add_case(const ConformanceCase& test_case, const interp::ExecutorOptions& options,
              double slack, Tally& tally) {
  try {
    const ir::Model model = ir::read_model(test_case.folder / "model.onnx");
    if (const auto reason = reason_to_skip(model, test_case.name)) {
      ++tally.skipped[*reason];
      return;
    }
    const auto rounded = kRoundedExpectations.find(test_case.name);
    if (rounded != kRoundedExpectations.end()) slack *= rounded->second;
    const auto wrong = run_case(model, test_case, options, slack);
    if (!wrong) {
      ++tally.passed;
      return;
    }
    tally.failures.push_back(test_case.name + ": " + *wrong);
  } catch (const Error& error) {
    tally.failures.push_back(test_case.name + ": " + error.what());
  }
  ++tally.failed;
}

void run_suite(const std::string& suite, const interp::ExecutorOptions& options, double slack) {
  const auto cases = conformance_cases(suite);
  if (cases.empty()) GTEST_SKIP() << "no conformance cases: the shared folder is absent";
  Tally tally;
  for (const ConformanceCase& test_case : cases) add_case(test_case, options, slack, tally);
  for (const std::string& failure : tally.failures) ADD_FAILURE() << suite << "/" << failure;
  std::string reasons;
  for (const auto& [reason, count] : tally.skipped)
    reasons += fmt::format(" {} ({})", reason, count);
  std::cout << suite << ": " << tally.passed << " passed, " << tally.failed << " failed, "
            << tally.skips() << " skipped" << (reasons.empty() ? "" : ":" + reasons) << std::endl;
  EXPECT_GT(tally.passed, 0);
}

class Conformance : public testing::TestWithParam<const char*> {};

TEST_P(Conformance, ReferenceKernels) {
  interp::ExecutorOptions options;
  options.exact = true;
  options.iteration_limit = 100'000;
  run_suite(GetParam(), options, 1);
}

// Accelerated kernels accumulate in float, so they get room for another order of summation.
TEST_P(Conformance, AcceleratedKernels) {
  interp::ExecutorOptions options;
  options.iteration_limit = 100'000;
  run_suite(GetParam(), options, 10);
}

// Known networks whose weights are made by ConstantOfShape. Their input is 0, 1/n, .. (n-1)/n.
TEST(ConformanceLight, GivesTheExpectedOutputs) {
  const auto folder = conformance_folder();
  if (folder.empty()) GTEST_SKIP() << "no conformance cases: the shared folder is absent";
  int passed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "light")) {
    if (entry.path().extension() != ".onnx") continue;
    const ir::Model model = ir::read_model(entry.path());
    const ir::Value* input = nullptr;
    for (const ir::Value* v : model.graph->inputs()) {
      if (!v->has_initializer()) input = v;
    }
    ASSERT_NE(input, nullptr) << entry.path();
    ir::Dims dims;
    for (const ir::Dim& d : *input->type.shape) dims.push_back(d.known() ? d.value : 1);
    ir::Tensor x(ir::DataType::kFloat, dims);
    const auto values = x.mutable_data<float>();
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(static_cast<double>(i) / static_cast<double>(values.size()));
    }
    interp::Executor executor(model);
    const auto actual = executor.run({{input->name(), ops::RuntimeValue(x)}});
    const ir::Tensor expected =
        ir::read_tensor(folder / "light" / (entry.path().stem().string() + "_output_0.pb"));
    const auto wrong = difference(actual.at(0).tensor, expected, 10);
    EXPECT_FALSE(wrong) << entry.path() << ": " << *wrong;
    passed += wrong ? 0 : 1;
  }
  std::cout << "light: " << passed << " passed" << std::endl;
  EXPECT_GT(passed, 0);
}

std::string identifier(const testing::TestParamInfo<const char*>& suite) {
  std::string name = suite.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Suites, Conformance,
                         testing::Values("node", "simple", "pytorch-converted", "pytorch-operator"),
                         identifier);

}  // namespace
}  // namespace fettle::test
