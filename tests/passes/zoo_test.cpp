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

// Inputs of networks whose open extents and integers are bound by more than their types say.
std::vector<interp::Feeds> inputs_for(const std::string& name, const ir::Model& model) {
  const auto filled = [](ir::Dims dims) {
    ir::Tensor t(ir::DataType::kFloat, std::move(dims));
    float x = 0.3f;
    for (float& v : t.mutable_data<float>()) v = x = 3.7f * x * (1 - x);  // the logistic map
    return t;
  };
  if (name == "silero_vad") {
    const auto feeds = [&](int64_t samples, int64_t rate) {
      return interp::Feeds{{"input", filled({1, samples})},
                           {"state", filled({2, 1, 128})},
                           {"sr", ir::Tensor::scalar<int64_t>(rate)}};
    };
    return {feeds(576, 16000), feeds(288, 8000)};
  }
  if (name == "extension_recommender_int8") {
    ir::Tensor ids(ir::DataType::kInt32, {1, 3450});
    int32_t i = 0;
    for (int32_t& v : ids.mutable_data<int32_t>()) v = ++i % 2;
    return {{{model.graph->inputs()[0]->name(), ids}}};
  }
  auto inputs = interp::usable_inputs(model, 7, {});
  inputs.resize(std::min<size_t>(inputs.size(), 2));
  return inputs;
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
  const auto inputs = inputs_for(GetParam(), original);
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
  passes::PipelineOptions options;
  options.initializers_are_constant = true;  // as the other tool took them
  const auto report = passes::run_pipeline(ours, options);
  std::printf("%-32s ours %ld nodes, theirs %zu\n", GetParam().c_str(),
              static_cast<long>(report.nodes_after), theirs.graph->node_count());
  auto inputs = interp::generate_inputs(ours, 7);
  inputs.resize(1);
  auto a = passes::run_all(ours, inputs, {}), b = passes::run_all(theirs, inputs, {});
  // The simplified file of ultraface was made without the decoding of boxes: scores agree only.
  if (GetParam() == "ultraface_rfb_320") {
    a.of_input[0].resize(1);
    b.of_input[0].resize(1);
  }
  EXPECT_EQ(passes::difference(a, b, 1e-4), "");
  EXPECT_LE(static_cast<size_t>(report.nodes_after),
            theirs.graph->node_count() + (GetParam() == "ultraface_rfb_320" ? 16 : 0));
}

INSTANTIATE_TEST_SUITE_P(All, SimplifiedPair, testing::Values("gtcrn", "ultraface_rfb_320"),
                         [](const auto& test_case) { return test_case.param; });

}  // namespace
}  // namespace fettle
