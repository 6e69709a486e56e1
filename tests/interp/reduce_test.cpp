// Accelerated reductions against the reference kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string graph;
  int64_t opset = 18;
};

class Reduction : public testing::TestWithParam<Case> {};

TEST_P(Reduction, MatchesTheReference) {
  const ir::Model model = test::parse_text_graph(GetParam().graph, GetParam().opset);
  test::expect_accelerated_matches(model, 3);
}

// Shape and axes; an empty list stands for all axes.
const std::vector<std::pair<std::string, std::string>> kForms{
    {"[3,4,50]", "-1"}, {"[3,4,50]", "1"},       {"[3,4,50]", "0"},        {"[3,4,50]", "0,2"},
    {"[3,4,50]", ""},   {"[2,3,4,5,6]", "1,3"},  {"[2,3,4,5,6]", "0,2,4"}, {"[1,1,7]", "0,1"},
    {"[300,300]", "0"}, {"[2,33,40,40]", "2,3"}, {"[70000]", "0"},         {"[5,0,3]", "2"},
    {"[5,1,3]", "1"},   {"[64,3,333]", "-1,0"}};

std::vector<Case> reductions() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& type, const std::string& op, const std::string& before,
                       size_t form, const std::string& attributes, int64_t opset) {
    const auto& [shape, axes] = kForms[form];
    const bool operand = opset >= (op == "ReduceSum" ? 13 : 18);
    const std::string count =
        std::to_string(axes.empty() ? 0 : 1 + std::count(axes.begin(), axes.end(), ','));
    std::string graph = "g (" + type + shape + " x) => (" + type + " z) { a = " + before + "(x) ";
    std::string list = attributes;
    if (operand && !axes.empty()) {
      graph += "i = Constant <value = int64[" + count + "] {" + axes + "}> () ";
    } else if (!axes.empty()) {
      list += (list.empty() ? "axes = [" : ", axes = [") + axes + "]";
    }
    graph += "z = " + op + (list.empty() ? "" : " <" + list + ">") +
             (operand && !axes.empty() ? " (a, i) }" : " (a) }");
    cases.push_back({type + op + std::to_string(cases.size()), graph, opset});
  };
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1",
                         "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd"}) {
    for (size_t form = 0; form < kForms.size(); ++form) {
      add("float", op, "Identity", form, "", 18);
      add("float", op, "Neg", form, "keepdims = 0", 12);
    }
  }
  for (size_t form = 0; form < kForms.size(); ++form)
    add("float", "ReduceLogSum", "Abs", form, "", 18);
  for (const char* type : {"int32", "int64"}) {
    for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"}) {
      for (size_t form = 0; form < kForms.size(); ++form) add(type, op, "Sign", form, "", 18);
      add(type, op, "Identity", 3, "keepdims = 0", 12);
    }
  }
  return cases;
}

std::vector<Case> others() {
  std::vector<Case> cases;
  for (const char* op : {"ArgMax", "ArgMin"}) {
    for (const char* attributes :
         {"axis = 0", "axis = 1, keepdims = 0", "axis = -1", "axis = 2, select_last_index = 1"}) {
      cases.push_back({op + std::to_string(cases.size()),
                       std::string("g (float[6,50,7] x) => (int64 z) { a = Round(x) z = ") + op +
                           " <" + attributes + "> (a) }"});
    }
  }
  for (const char* type : {"float", "int32", "int64"}) {
    for (const char* attributes : {"exclusive = 0", "exclusive = 1", "reverse = 1"}) {
      for (const char* axis : {"0", "1", "-1"}) {
        cases.push_back({"CumSum" + std::to_string(cases.size()),
                         std::string("g (") + type + "[6,50,7] x) => (" + type +
                             " z) { i = Constant <value = int64 {" + axis + "}> () z = CumSum <" +
                             attributes + "> (x, i) }"});
      }
    }
  }
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) {
    for (const char* shape : {"[2,7,5,6]", "[1,32,60,60]", "[2,3,9]", "[1,2,3,4,5]"}) {
      cases.push_back({op + std::to_string(cases.size()),
                       std::string("g (float") + shape + " x) => (float z) { z = " + op + "(x) }"});
    }
    cases.push_back({std::string(op) + "_layout",
                     std::string("g (float[2,19,10,10] x, float[35,19,3,3] w, float[35,35,1,1] v) "
                                 "=> (float z) { c = Conv(x, w) p = ") +
                         op + "(c) z = Conv(p, v) }"});
  }
  for (const char* tail :
       {"z = ReduceMean <axes = [2,3]> (c)", "z = ReduceMax <axes = [2,3], keepdims = 0> (c)",
        "z = ReduceMean <axes = [1]> (c)", "z = ReduceSum <axes = [-1,-2]> (c)",
        "z = ReduceLogSumExp <axes = [3]> (c)"}) {
    cases.push_back({"layout" + std::to_string(cases.size()),
                     std::string("g (float[2,19,10,10] x, float[35,19,3,3] w) => (float z) "
                                 "{ c = Conv(x, w) ") +
                         tail + " }",
                     12});
  }
  return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Fold, Reduction, testing::ValuesIn(reductions()), case_name);
INSTANTIATE_TEST_SUITE_P(Other, Reduction, testing::ValuesIn(others()), case_name);

}  // namespace
}  // namespace fettle
