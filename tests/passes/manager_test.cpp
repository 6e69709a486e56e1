#include <gtest/gtest.h>

#include "ir/error.h"
#include "ir/print.h"
#include "passes/check.h"
#include "passes/pass.h"
#include "passes/passes.h"
#include "support/text_model.h"

namespace fettle {
namespace {

using passes::Exactness;
using passes::Pass;
using passes::PassContext;
using passes::PipelineOptions;

ir::Model small_model() {
  return test::parse_text_graph(R"(
g (float[2] x) => (float[2] y) <float[2] w = {1.0, 2.0}> {
  a = Identity (x)
  b = Add (a, w)
  c = Add (x, w)
  d = Mul (b, c)
  y = Relu (d)
})");
}

// The error that running `options` gives.
std::optional<Error> error_of(const PipelineOptions& options, std::span<const Pass> list) {
  ir::Model model = small_model();
  try {
    passes::run_pipeline(model, options, list);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

ir::Node* node_of_type(PassContext& context, std::string_view op) {
  for (ir::Node& node : context.model.graph->nodes()) {
    if (node.is(op)) return &node;
  }
  return nullptr;
}

int64_t rename_operator(PassContext& context, std::string_view from, std::string to) {
  ir::Node* node = node_of_type(context, from);
  if (node == nullptr) return 0;
  node->op_type = std::move(to);
  return 1;
}
int64_t relu_to_abs(PassContext& c) { return rename_operator(c, "Relu", "Abs"); }
int64_t abs_to_relu(PassContext& c) { return rename_operator(c, "Abs", "Relu"); }
int64_t relu_to_neg(PassContext& c) { return rename_operator(c, "Relu", "Neg"); }
int64_t reads_before_definition(PassContext& c) {
  c.model.graph->move_before(*node_of_type(c, "Mul"), nullptr);
  return 1;
}
int64_t restless(PassContext& c) {
  c.model.graph->add_constant(c.model.graph->unique_name("k"), ir::Tensor::scalar(1.0f));
  return 1;
}

constexpr Pass kFlipping[] = {
    {"relu_to_abs", "", relu_to_abs, Exactness::kLossy, true},
    {"abs_to_relu", "", abs_to_relu, Exactness::kLossy, true},
};

TEST(Manager, ReachesAFixedPoint) {
  ir::Model model = small_model();
  const auto report = passes::run_pipeline(model);
  EXPECT_TRUE(report.converged);
  EXPECT_FALSE(report.oscillated);
  EXPECT_EQ(report.nodes_before, 5);
  EXPECT_EQ(report.nodes_after, 3);
  EXPECT_EQ(report.rounds, 2);
  const std::string text = ir::to_text(model);
  const auto again = passes::run_pipeline(model);
  EXPECT_EQ(again.rounds, 1);
  EXPECT_EQ(ir::to_text(model), text);
}

TEST(Manager, StopsOnOscillation) {
  ir::Model model = small_model();
  const auto report = passes::run_pipeline(model, {}, kFlipping);
  EXPECT_TRUE(report.oscillated);
  EXPECT_FALSE(report.converged);
  EXPECT_EQ(report.rounds, 1);
}

TEST(Manager, StopsAtTheCap) {
  constexpr Pass kList[] = {{"restless", "", restless, Exactness::kExact, true}};
  ir::Model model = small_model();
  PipelineOptions options;
  options.max_rounds = 3;
  const auto report = passes::run_pipeline(model, options, kList);
  EXPECT_EQ(report.rounds, 3);
  EXPECT_FALSE(report.converged);
  EXPECT_EQ(report.passes[0].rewrites, 3);
}

TEST(Manager, RefusesUnknownNames) {
  for (const auto member : {&PipelineOptions::only, &PipelineOptions::skip}) {
    PipelineOptions options;
    (options.*member) = {"fuse_batchnorm"};
    const auto error = error_of(options, passes::all_passes());
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code(), ErrorCode::kUsage);
    EXPECT_NE(error->message().find("fuse_batchnorm"), std::string::npos);
    EXPECT_NE(error->message().find("fuse_batch_norm"), std::string::npos);
  }
  PipelineOptions options;
  options.stop_after = "nothing";
  EXPECT_EQ(error_of(options, passes::all_passes())->code(), ErrorCode::kUsage);
  options.stop_after = "fuse_pad";
  options.skip = {"fuse_pad"};
  EXPECT_EQ(error_of(options, passes::all_passes())->code(), ErrorCode::kUsage);
}

TEST(Manager, StopsAfterTheNamedPass) {
  ir::Model model = small_model();
  PipelineOptions options;
  options.stop_after = "eliminate_identity";
  std::vector<std::string> ran;
  options.after_each = [&](std::string_view pass, const ir::Model&) { ran.emplace_back(pass); };
  const auto report = passes::run_pipeline(model, options);
  EXPECT_EQ(ran.back(), "eliminate_identity");
  EXPECT_EQ(ran.front(), "inline_functions");
  EXPECT_EQ(report.rounds, 1);
  EXPECT_EQ(report.nodes_after, 4);  // the equal Adds are still there
}

TEST(Manager, RunsOnlyWhatIsAskedFor) {
  ir::Model model = small_model();
  PipelineOptions options;
  options.only = {"eliminate_dead_code", "eliminate_identity"};
  const auto report = passes::run_pipeline(model, options);
  ASSERT_EQ(report.passes.size(), 2u);
  EXPECT_EQ(report.passes[0].name, "eliminate_identity");  // in pipeline order
  EXPECT_EQ(report.nodes_after, 4);
}

TEST(Manager, NamesThePassThatBreaksTheGraph) {
  constexpr Pass kList[] = {
      {"abs_to_relu", "", abs_to_relu, Exactness::kLossy, true},
      {"reads_before_definition", "", reads_before_definition, Exactness::kExact, true},
  };
  const auto error = error_of({}, kList);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code(), ErrorCode::kInternal);
  EXPECT_NE(std::string(error->what()).find("pass 'reads_before_definition'"), std::string::npos);
}

TEST(Manager, CheckEachNamesThePassThatChangesTheOutputs) {
  constexpr Pass kList[] = {
      {"eliminate_identity", "", passes::eliminate_identity, Exactness::kExact, true},
      {"relu_to_neg", "", relu_to_neg, Exactness::kRounding, true},
  };
  EXPECT_FALSE(error_of({}, kList).has_value());
  PipelineOptions options;
  options.check_each = true;
  const auto error = error_of(options, kList);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code(), ErrorCode::kInternal);
  EXPECT_NE(std::string(error->what()).find("'relu_to_neg'"), std::string::npos) << error->what();
}

TEST(Manager, CheckEachAcceptsTheDefaultPipeline) {
  ir::Model model = small_model();
  PipelineOptions options;
  options.check_each = true;
  options.check_executor.exact = true;
  options.check_inputs = {{{"x", ir::Tensor::of<float>({2}, {-1, 2})}}};
  EXPECT_TRUE(passes::run_pipeline(model, options).converged);
}

TEST(Manager, ReportsWhatWasDeclinedOnce) {
  ir::Model model = test::parse_text_graph(
      "g (float[2] x) => (float[2] y) <float z = {0.0}> { a = Identity (x) y = Add (a, z) }");
  const auto report = passes::run_pipeline(model);
  ASSERT_EQ(report.declined.size(), 1u);
  EXPECT_EQ(report.declined[0].pass, "eliminate_identity");
  EXPECT_EQ(report.declined[0].node, "node 'y' (Add)");
  EXPECT_EQ(report.declined[0].reason, "adding 0 turns -0 into 0");
}

TEST(Manager, EveryPassIsOnceInTheListWithASummary) {
  std::set<std::string_view> names;
  for (const Pass& pass : passes::all_passes()) {
    EXPECT_TRUE(names.insert(pass.name).second) << pass.name;
    EXPECT_FALSE(pass.summary.empty());
  }
}

TEST(Check, ToleratesNanAndInfinityInTheSamePlaces) {
  const auto tensor = [](std::vector<float> v) {
    return std::vector<ops::RuntimeValue>{ir::Tensor::of<float>({3}, v)};
  };
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  EXPECT_EQ(passes::difference(tensor({nan, inf, 1}), tensor({nan, inf, 1}), 0), "");
  EXPECT_NE(passes::difference(tensor({nan, inf, 1}), tensor({nan, -inf, 1}), 1e9), "");
  EXPECT_NE(passes::difference(tensor({nan, inf, 1}), tensor({1, inf, 1}), 1e9), "");
  EXPECT_EQ(passes::difference(tensor({100, 0, 1}), tensor({100, 0.005f, 1}), 1e-4), "");
  EXPECT_NE(passes::difference(tensor({100, 0, 1}), tensor({100, 0.02f, 1}), 1e-4), "");
}

}  // namespace
}  // namespace fettle
