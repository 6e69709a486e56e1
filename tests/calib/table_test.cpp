#include "calib/table.h"

#include <gtest/gtest.h>

#include "calib/data_files.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::error_of;

CalibrationTable sample_table() {
  CalibrationTable table;
  table.model_digest = "fnv1a64:0123456789abcdef";
  table.samples = 8;
  table.tensors["conv \"1\"/out"] = {-0.1f, 3.25f, 800, 0};
  table.tensors["x"] = {0, 255, 96, 2};
  return table;
}

TEST(Table, RoundTripsThroughJson) {
  const CalibrationTable table = sample_table();
  const CalibrationTable back = parse_table(table_to_json(table));
  EXPECT_EQ(back.method, "minmax");
  EXPECT_EQ(back.model_digest, table.model_digest);
  EXPECT_EQ(back.samples, 8);
  ASSERT_EQ(back.tensors.size(), 2u);
  EXPECT_EQ(back.tensors.at("conv \"1\"/out").min, -0.1f);
  EXPECT_EQ(back.tensors.at("x").non_finite, 2);
  EXPECT_EQ(table_to_json(back), table_to_json(table));
}

TEST(Table, SavesAndLoads) {
  const test::TempFolder folder;
  save_table(sample_table(), folder / "table.json");
  EXPECT_EQ(table_to_json(load_table(folder / "table.json")), table_to_json(sample_table()));
  const std::string message = error_of([&] { load_table(folder / "absent.json"); });
  EXPECT_NE(message.find("calibration table '"), std::string::npos) << message;
}

std::string replaced(const std::string& what, const std::string& with) {
  std::string json = table_to_json(sample_table());
  const size_t at = json.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return json.replace(at, what.size(), with);
}

TEST(Table, RefusesWhatTheSchemaDoesNotAllow) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"fettle.calibration_table", "other"},
      {"\"version\": 1", "\"version\": 2"},
      {"minmax", "entropy"},
      {"\"samples\": 8", "\"samples\": -8"},
      {"\"samples\": 8", "\"samples\": 8.5"},
      {"\"max\": 255", "\"max\": -1"},
      {"\"max\": 255", "\"max\": 1e39"},
      {"\"max\": 255", "\"max\": 1e999"},
      {"\"max\": 255", "\"max\": null"},
      {"\"max\": 255", "\"maximum\": 255"},
      {"\"max\": 255", "\"max\": 255, \"max\": 255"},
      {"\"max\": 255", "\"max\": 255, \"extra\": 1"},
      {"\"max\": 255", "\"max\": [[[[[1]]]]]"},
      {"\"count\": 96", "\"count\": 18446744073709551615"},
      {"\"x\"", "\"conv \\\"1\\\"/out\""},
  };
  for (const auto& [what, with] : cases) {
    EXPECT_FALSE(error_of([&, w = what, r = with] { parse_table(replaced(w, r)); }).empty())
        << with;
  }
  const std::string good = table_to_json(sample_table());
  for (size_t size = 0; size + 2 < good.size(); size += 3) {
    EXPECT_FALSE(error_of([&] { parse_table(good.substr(0, size)); }).empty()) << size;
  }
}

TEST(Table, MergeAddsObservations) {
  CalibrationTable table = sample_table();
  CalibrationTable other = sample_table();
  other.tensors["x"] = {-5, 7, 4, 0};
  other.tensors["new"] = {1, 2, 3, 0};
  table.merge(other);
  EXPECT_EQ(table.samples, 16);
  EXPECT_EQ(table.tensors["x"].min, -5);
  EXPECT_EQ(table.tensors["x"].max, 255);
  EXPECT_EQ(table.tensors["x"].count, 100);
  EXPECT_EQ(table.tensors["new"].max, 2);
  other.model_digest = "fnv1a64:0000000000000000";
  EXPECT_NE(error_of([&] { table.merge(other); }).find("different models"), std::string::npos);
}

TEST(Table, DigestFollowsStructureNotWeights) {
  const auto model = [](const std::string& op, const std::string& weight) {
    return test::parse_text_graph("g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {" + weight +
                                  "}> { y = " + op + "(x, w) }");
  };
  const std::string digest = model_digest(model("Add", "1, 2"));
  EXPECT_EQ(digest, model_digest(model("Add", "3, 4")));
  EXPECT_NE(digest, model_digest(model("Mul", "1, 2")));
  EXPECT_EQ(digest.size(), std::string("fnv1a64:").size() + 16);
  CalibrationTable table;
  table.model_digest = digest;
  check_table(table, model("Add", "5, 6"));
  const std::string message = error_of([&] { check_table(table, model("Mul", "1, 2")); });
  EXPECT_NE(message.find("made with another model"), std::string::npos) << message;
}

TEST(Table, WarnsOfNonFiniteElements) {
  CalibrationTable table = sample_table();
  table.tensors["dead"] = {0, 0, 0, 9};
  const auto warnings = table_warnings(table);
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_EQ(warnings[0], "tensor 'dead' has no finite element: no range is known");
  EXPECT_NE(warnings[1].find("'x' has 2 NaN or infinite elements of 98"), std::string::npos);
}

}  // namespace
}  // namespace fettle::calib
