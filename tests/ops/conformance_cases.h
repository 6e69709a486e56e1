// ONNX's backend test cases: where they are, what they use and what they feed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "interp/executor.h"
#include "ir/model.h"

namespace fettle::test {

struct ConformanceCase {
  std::string suite;  // "node", "simple", ...
  std::string name;
  std::filesystem::path folder;
};

// The folder that holds the suites: the shared one, else one that is written from the `onnx` package
// of $FETTLE_PYTHON; empty when there is neither.
std::filesystem::path conformance_folder();
// The cases of a suite in order of name; empty when there is no such folder.
std::vector<ConformanceCase> conformance_cases(const std::string& suite);
// test_data_set_* folders of a case, in order.
std::vector<std::filesystem::path> data_sets(const ConformanceCase& test_case);

// The first operator without a row (or without a kernel) that the model applies, or nothing: then
// the operator table claims the whole model.
std::optional<std::string> unclaimed_operator(const ir::Model& model);
// input_K.pb in the order of those graph inputs that have no initializer.
interp::Feeds load_feeds(const ir::Model& model, const std::filesystem::path& data_set);
// output_K.pb in the order of the graph outputs.
std::vector<ops::RuntimeValue> load_outputs(const ir::Model& model,
                                            const std::filesystem::path& data_set);

// What differs, or nothing. Floating types agree when |a - b| <= atol + rtol * |expected|, with
// equal NaNs and infinities; tolerances grow with the width of the type's rounding step. Integers,
// bools and strings agree exactly. `slack` multiplies both tolerances.
std::optional<std::string> difference(const ir::Tensor& actual, const ir::Tensor& expected,
                                      double slack = 1);
// The same for sequences and optional values, entry by entry.
std::optional<std::string> difference(const ops::RuntimeValue& actual,
                                      const ops::RuntimeValue& expected, double slack = 1);

}  // namespace fettle::test
