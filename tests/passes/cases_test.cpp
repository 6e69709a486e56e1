// Every testdata/passes/<pass>/<case>.before.txt, run through its pass, gives <case>.after.txt and
// the same outputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "ir/error.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "passes/check.h"
#include "passes/pass.h"
#include "support/text_model.h"

namespace fettle {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(file.good()) << path;
  return text.str();
}

struct Case {
  std::string pass;
  std::filesystem::path before;
  std::filesystem::path after;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.before.filename(); }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const std::string ending = ".before.txt";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::testdata("passes"))) {
    const std::string path = entry.path().string();
    if (!path.ends_with(ending)) continue;
    cases.push_back({entry.path().parent_path().filename().string(), entry.path(),
                     path.substr(0, path.size() - ending.size()) + ".after.txt"});
  }
  std::sort(cases.begin(), cases.end(),
            [](const Case& a, const Case& b) { return a.before < b.before; });
  return cases;
}

// Runs the named passes once.
passes::PipelineReport run(ir::Model& model, std::vector<std::string> names) {
  passes::PipelineOptions options;
  options.only = std::move(names);
  options.max_rounds = 1;
  return passes::run_pipeline(model, options);
}

// The model's text without inner types, constants in alphabetical order.
std::string comparable(ir::Model& model) {
  run(model, {"infer_shapes"});
  ir::for_each_graph(*model.graph, [](ir::Graph& graph) {
    for (ir::Value* value : graph.values()) {
      if (value->producer() != nullptr && !value->is_graph_output()) value->type = {};
    }
  });
  std::istringstream text(ir::to_text(model, 1000));
  std::vector<std::string> lines, constants;
  std::string line;
  bool inside = false;
  while (std::getline(text, line)) {
    const std::string bare = line.substr(std::min(line.find_first_not_of(' '), line.size()));
    if (inside && bare.starts_with(">")) {
      std::sort(constants.begin(), constants.end());
      lines.insert(lines.end(), constants.begin(), constants.end());
      constants.clear();
      inside = false;
    }
    if (inside) {
      constants.push_back(line.ends_with(',') ? line.substr(0, line.size() - 1) : line);
    } else {
      lines.push_back(line);
      inside = bare == "<";
    }
  }
  std::string joined;
  for (const std::string& l : lines) joined += l + "\n";
  return joined;
}

class PassCase : public testing::TestWithParam<Case> {};

TEST_P(PassCase, GivesTheExpectedGraph) {
  ir::Model model = test::parse_text_model(content_of(GetParam().before));
  ir::Model expected = test::parse_text_model(content_of(GetParam().after));
  const auto report = run(model, {"infer_shapes", GetParam().pass, "eliminate_dead_code"});
  ir::verify(model);
  std::string reasons;
  for (const auto& d : report.declined) reasons += d.node + ": " + d.reason + "\n";
  EXPECT_EQ(comparable(model), comparable(expected)) << reasons;
}

TEST_P(PassCase, KeepsTheOutputs) {
  const ir::Model before = test::parse_text_model(content_of(GetParam().before));
  ir::Model after = test::parse_text_model(content_of(GetParam().before));
  run(after, {"infer_shapes", GetParam().pass, "eliminate_dead_code"});
  const auto all = passes::all_passes();
  const auto pass = std::find_if(all.begin(), all.end(),
                                 [](const auto& p) { return p.name == GetParam().pass; });
  ASSERT_NE(pass, all.end()) << "a folder must be named after a pass";
  const interp::ExecutorOptions reference{.exact = true};
  const auto inputs = interp::generate_inputs(before, 1);
  const auto was = passes::run_all(before, inputs, reference);
  const auto is = passes::run_all(after, inputs, reference);
  EXPECT_TRUE(std::any_of(was.errors.begin(), was.errors.end(),
                          [](const std::string& e) { return e.empty(); }))
      << was.errors.front();
  EXPECT_EQ(passes::difference(was, is, passes::tolerance_of(pass->exactness)), "");
}

TEST_P(PassCase, HasNothingLeftToDoAfterwards) {
  ir::Model model = test::parse_text_model(content_of(GetParam().after));
  const auto report = run(model, {"infer_shapes", GetParam().pass});
  for (const auto& statistics : report.passes) EXPECT_EQ(statistics.rewrites, 0) << statistics.name;
}

INSTANTIATE_TEST_SUITE_P(Folder, PassCase, testing::ValuesIn(all_cases()), [](const auto& test_case) {
  std::string name = test_case.param.pass + "__" + test_case.param.before.stem().stem().string();
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace fettle
