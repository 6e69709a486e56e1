// Every shared model in every mode: planned, rewritten, and structurally sound after it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "ir/error.h"
#include "ir/io.h"
#include "ir/verify.h"
#include "quant/calibration_values.h"
#include "quant/plan.h"
#include "support/text_model.h"

namespace fettle::quant {
namespace {

std::vector<std::filesystem::path> models_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".onnx") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// False when the file or what it asks for is refused, as it may be; other failures propagate.
bool converts(const std::filesystem::path& path, Mode mode) {
  try {
    ir::Model model = ir::read_model(path);
    const std::string outputs = [&] {
      std::string names;
      for (const ir::Value* v : model.graph->outputs()) names += v->name() + ";";
      return names;
    }();
    const calib::CalibrationTable table = stand_in_table(model);
    PlanOptions options;
    options.mode = mode;
    const Plan plan = make_plan(model, &table, options);
    apply_plan(model, plan);
    ir::verify(model);
    ir::parse_model(ir::serialize_model(model), path.parent_path());
    std::string after;
    for (const ir::Value* v : model.graph->outputs()) after += v->name() + ";";
    EXPECT_EQ(after, outputs) << path;
    return true;
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal) << path << ": " << error.what();
    return false;
  }
}

class SharedModels : public testing::TestWithParam<Mode> {};

TEST_P(SharedModels, AreRewrittenOrRefused) {
  const std::filesystem::path shared = fettle::test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "the shared folder is absent";
  int64_t converted = 0;
  int64_t refused = 0;
  for (const char* folder : {"zoo/models", "zoo/hostile", "graphs_ort"}) {
    if (!std::filesystem::is_directory(shared / folder)) continue;
    for (const auto& path : models_below(shared / folder)) {
      ++(converts(path, GetParam()) ? converted : refused);
    }
  }
  RecordProperty("converted", static_cast<int>(converted));
  RecordProperty("refused", static_cast<int>(refused));
  EXPECT_GT(converted, refused);
}

INSTANTIATE_TEST_SUITE_P(Modes, SharedModels,
                         testing::Values(Mode::kStatic, Mode::kDynamic, Mode::kWeightOnly,
                                         Mode::kFp16),
                         [](const auto& tested) {
                           std::string name(mode_name(tested.param));
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace fettle::quant
