// The default pipeline on real models: it must end, keep the structure sound, and keep the outputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "ir/io.h"
#include "ir/verify.h"
#include "passes/check.h"
#include "passes/pass.h"
#include "support/text_model.h"

namespace fettle {
namespace {

namespace fs = std::filesystem;

fs::path model_folder() {
  const fs::path shared = test::shared_folder();
  return shared.empty() ? shared : shared / "zoo" / "models";
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  const fs::path folder = model_folder();
  if (!folder.empty()) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".onnx") names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) names.push_back("none");
  return names;
}

class ZooModel : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (model_folder().empty()) GTEST_SKIP() << "no shared folder with real models: not checked";
  }
};

TEST_P(ZooModel, KeepsItsOutputs) {
  const fs::path path = model_folder() / (GetParam() + ".onnx");
  const ir::Model original = ir::read_model(path);
  ir::Model model = ir::read_model(path);
  const auto report = passes::run_pipeline(model);
  ir::verify(model);
  EXPECT_TRUE(report.converged) << report.rounds << " rounds";
  std::printf("%-32s nodes %5ld -> %5ld in %d rounds\n", GetParam().c_str(),
              static_cast<long>(report.nodes_before), static_cast<long>(report.nodes_after),
              report.rounds);
  std::vector<std::string> names, names_after;
  for (const ir::Value* v : original.graph->outputs()) names.push_back(v->name());
  for (const ir::Value* v : model.graph->outputs()) names_after.push_back(v->name());
  EXPECT_EQ(names, names_after);
  auto inputs = passes::generate_inputs(original, 7);
  inputs.resize(2);
  const auto before = passes::run_all(original, inputs, {});
  const auto after = passes::run_all(model, inputs, {});
  EXPECT_TRUE(std::any_of(before.errors.begin(), before.errors.end(),
                          [](const std::string& e) { return e.empty(); }))
      << before.errors.front();
  EXPECT_EQ(passes::difference(before, after, 1e-4), "");
}

INSTANTIATE_TEST_SUITE_P(All, ZooModel, testing::ValuesIn(model_names()),
                         [](const auto& test_case) { return test_case.param; });

// Two files of one network, one of them simplified by another tool.
class SimplifiedPair : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (model_folder().empty()) GTEST_SKIP() << "no shared folder with real models: not checked";
  }
};

TEST_P(SimplifiedPair, AgreesWithTheOtherTool) {
  ir::Model ours = ir::read_model(model_folder() / (GetParam() + ".onnx"));
  const ir::Model theirs = ir::read_model(model_folder() / (GetParam() + "_simplified.onnx"));
  const auto report = passes::run_pipeline(ours);
  std::printf("%-32s ours %ld nodes, theirs %zu\n", GetParam().c_str(),
              static_cast<long>(report.nodes_after), theirs.graph->node_count());
  auto inputs = passes::generate_inputs(ours, 7);
  inputs.resize(1);
  EXPECT_EQ(passes::difference(passes::run_all(ours, inputs, {}),
                               passes::run_all(theirs, inputs, {}), 1e-4),
            "");
}

INSTANTIATE_TEST_SUITE_P(All, SimplifiedPair, testing::Values("gtcrn", "ultraface_rfb_320"),
                         [](const auto& test_case) { return test_case.param; });

}  // namespace
}  // namespace fettle
