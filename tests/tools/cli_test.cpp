// Jobs as a user types them: results, exit codes, and what is left behind.
#include "cli_fixture.h"

namespace fettle::tools {
namespace {

TEST_F(Cli, CompressWritesAModelAndAReport) {
  const Outcome o = fettle("compress '" + model() + "' --data '" + calib() + "' --eval-data '" +
                           labelled() + "' --bench-runs 3 -o '" + path("out") + "' --max-drop 0.01 --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto report = nlohmann::json::parse(o.out);
  EXPECT_EQ(report, nlohmann::json::parse(slurp(path("out/report.json"))));
  EXPECT_EQ(report["schema"], "fettle-report");
  EXPECT_LE(report["accuracy"]["top1_drop"].get<double>(), 0.01);
  EXPECT_GT(report["accuracy"]["after"]["top1"].get<double>(), 0.9);
  EXPECT_LE(report["size"]["weight_ratio"].get<double>(), 0.30);
  EXPECT_TRUE(report["passed"].get<bool>());
  EXPECT_GT(report["quantize"]["decisions"]["quantize"].get<int>(), 5);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(path("out"))) files.push_back(entry.path().filename());
  std::sort(files.begin(), files.end());
  EXPECT_EQ(files, (std::vector<std::string>{"model.onnx", "report.json"}));
}

TEST_F(Cli, SameInputGivesSameModelForAnyThreadCount) {
  for (const char* threads : {"1", "2"}) {
    const Outcome o = fettle("compress '" + model() + "' --data '" + calib() + "' --no-bench -q --threads " +
                             std::string(threads) + " -o '" + path(threads) + "'");
    ASSERT_EQ(o.code, 0) << o.err;
  }
  EXPECT_EQ(slurp(path("1/model.onnx")), slurp(path("2/model.onnx")));
}

TEST_F(Cli, AFailedGateExitsWithOneAndStillWrites) {
  const Outcome o = fettle("compress '" + model() + "' --data '" + calib() + "' --no-bench -o '" + path("out") +
                           "' --max-size 1K");
  EXPECT_EQ(o.code, 1) << o.err;
  EXPECT_TRUE(fs::exists(path("out/model.onnx")));
  EXPECT_NE(o.out.find("FAILED"), std::string::npos);
}

TEST_F(Cli, PlanOnlyPrintsThePlanAndWritesNothing) {
  const Outcome o = fettle("compress '" + model() + "' --data '" + calib() + "' --plan-only -o '" + path("out") + "'");
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_GT(nlohmann::json::parse(o.out)["nodes"].size(), 5u);
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Cli, ExcludedTypesStayFloat) {
  const Outcome o = fettle("compress '" + model() + "' --data '" + calib() +
                           "' --no-bench --exclude-type Conv --json -o '" + path("out") + "'");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto report = nlohmann::json::parse(o.out);
  ASSERT_FALSE(report["quantize"]["nodes"].empty());
  for (const auto& node : report["quantize"]["nodes"]) {
    if (node["operator"] == "Conv") {
      EXPECT_EQ(node["decision"], "float");
    }
  }
}

TEST_F(Cli, RecipeFileGivesOptions) {
  const std::string recipe = write("recipe.yaml", "exclude-type: [Conv, Gemm]\nno-bench: true\n");
  const Outcome o = fettle("compress '" + model() + "' --recipe '" + recipe + "' --data '" + calib() +
                           "' --json -o '" + path("out") + "'");
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(nlohmann::json::parse(o.out)["latency"]["runs"].empty());
  fs::remove_all(path("out"));
  expect_refused("compress '" + model() + "' --data '" + calib() + "' -o '" + path("out") + "' --recipe '" +
                     write("bad.yaml", "exclude-typo: [Conv]\n") + "'",
                 {"exclude-typo"});
}

TEST_F(Cli, InspectEvaluateCompareRunAndBenchAnswerInJson) {
  auto o = fettle("inspect '" + model() + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto inspected = nlohmann::json::parse(o.out);
  for (const char* key : {"nodes", "parameters", "weight_bytes", "file_bytes", "macs", "operators"}) {
    EXPECT_TRUE(inspected.contains(key)) << key;
  }
  EXPECT_EQ(inspected["file_bytes"].get<int64_t>(), static_cast<int64_t>(fs::file_size(model())));
  o = fettle("evaluate '" + model() + "' --data '" + labelled() + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_GT(nlohmann::json::parse(o.out)["metrics"]["top1"].get<double>(), 0.95);
  o = fettle("compare '" + model() + "' '" + model() + "' --data '" + calib() + "' --samples 4 --layers --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto compared = nlohmann::json::parse(o.out);
  EXPECT_EQ(compared["samples"], 4);
  EXPECT_EQ(compared["top1_agreement"], 1.0);
  EXPECT_EQ(compared["outputs"][0]["max_abs"], 0.0);
  EXPECT_GT(compared["layers"].size(), 5u);
  o = fettle("run '" + model() + "' --data '" + calib() + "' --samples 6 -o '" + path("y.npz") + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(nlohmann::json::parse(o.out)["outputs"][0]["shape"][0], 6);
  EXPECT_TRUE(fs::exists(path("y.npz")));
  o = fettle("bench '" + model() + "' --engine fettle --runs 3 --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto run = nlohmann::json::parse(o.out)["runs"][0];
  EXPECT_EQ(run["engine"], "fettle");
  EXPECT_GT(run["median_ms"].get<double>(), 0);
  EXPECT_GT(run["peak_bytes"].get<int64_t>(), 1 << 20);
}

TEST_F(Cli, QuantizeModesOptimizeAndPruneWriteLoadableModels) {
  for (const char* mode : {"dynamic", "weight-only", "fp16"}) {
    const std::string out = path(std::string(mode) + ".onnx");
    const Outcome o = fettle("quantize '" + model() + "' --mode " + mode + " -o '" + out + "'");
    ASSERT_EQ(o.code, 0) << mode << ": " << o.err;
    const Outcome e = fettle("evaluate '" + out + "' --data '" + labelled() + "' --json");
    ASSERT_EQ(e.code, 0) << mode << ": " << e.err;
    EXPECT_GT(nlohmann::json::parse(e.out)["metrics"]["top1"].get<double>(), 0.95) << mode;
  }
  EXPECT_LT(fs::file_size(path("fp16.onnx")), fs::file_size(model()) * 6 / 10);
  auto o = fettle("optimize '" + model() + "' -o '" + path("o.onnx") + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto optimized = nlohmann::json::parse(o.out);
  EXPECT_LT(optimized["after"]["nodes"], optimized["before"]["nodes"]);
  EXPECT_TRUE(optimized["checked"].get<bool>());
  o = fettle("prune '" + model() + "' --sparsity 0.5 -o '" + path("p.onnx") + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto pruned = nlohmann::json::parse(o.out);
  EXPECT_NEAR(pruned["zeros_after"].get<double>() / pruned["weights"].get<double>(), 0.5, 0.01);
}

TEST_F(Cli, CalibrateThenQuantizeFromTheTable) {
  auto o = fettle("calibrate '" + model() + "' --data '" + calib() + "' -o '" + path("t.json") + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  o = fettle("quantize '" + model() + "' --table '" + path("t.json") + "' -o '" + path("q.onnx") + "'");
  ASSERT_EQ(o.code, 0) << o.err;
  expect_refused("quantize '" + test::testdata("digits_mlp.onnx").string() + "' --table '" + path("t.json") +
                     "' -o '" + path("out") + "'",
                 {"calibrat"});
}

}  // namespace
}  // namespace fettle::tools
