#include <memory>

#include "interp/random_inputs.h"
#include "ir/error.h"
#include "ir/io.h"
#include "passes/check.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string model;
  std::string output;
  std::string data;
  bool list_passes = false;
  bool no_check = false;
  PassOptions passes;
};

struct CheckResult {
  bool possible = false;
  bool passed = true;
  double worst = 0;  // largest error relative to the output's range
  std::string note;
};

// Compares both models on the data's first samples, or on made up ones.
CheckResult check(const ir::Model& before, const ir::Model& after, const Options& options,
                  const Common& common) {
  CheckResult result;
  std::vector<interp::Feeds> inputs;
  try {
    if (!options.data.empty()) {
      const auto data = open_data(options.data, before);
      for (int64_t i = 0; i < std::min<int64_t>(data->size(), 4 * data->batch()); i += data->batch()) {
        inputs.push_back(data->read(i));
      }
    } else {
      inputs = interp::usable_inputs(before, common.seed, common.executor());
    }
    interp::Executor a(before, common.executor());
    interp::Executor b(after, common.executor());
    for (const auto& feeds : inputs) {
      report::Comparer comparer(before);
      std::vector<ir::Tensor> expected;
      for (const auto& v : a.run(feeds)) expected.push_back(v.is_tensor() ? v.tensor : ir::Tensor());
      comparer.add(expected, b.run(feeds));
      for (const auto& o : comparer.outputs()) {
        const double scale = std::max({o.reference_max - o.reference_min, o.reference_max,
                                       -o.reference_min, 1e-6});
        result.worst = std::max(result.worst, o.max_abs / scale);
      }
    }
    result.possible = true;
    // How far the outputs may be apart, relative to their range.
    const double tolerance =
        passes::tolerance_of(passes::Exactness::kRounding, passes::largest_epsilon(before));
    result.passed = result.worst <= tolerance;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal || !options.data.empty()) throw;
    result.note = error.what();
  }
  return result;
}

void list_passes(const Common& common) {
  std::string text;
  report::Json j = report::Json::array();
  for (const auto& pass : passes::all_passes()) {
    const char* exactness = pass.exactness == passes::Exactness::kExact      ? "exact"
                            : pass.exactness == passes::Exactness::kRounding ? "rounding"
                                                                             : "lossy";
    text += fmt::format("  {:<36} {:<9} {:<4} {}\n", pass.name, exactness,
                        pass.default_on ? "on" : "off", pass.summary);
    j.push_back({{"name", pass.name},
                 {"exactness", exactness},
                 {"default", pass.default_on},
                 {"summary", pass.summary}});
  }
  print_result(common, j, text);
}

int optimize(const Options& options, const Common& common) {
  if (options.list_passes) {
    list_passes(common);
    return 0;
  }
  if (options.model.empty() || options.output.empty()) {
    fail(ErrorCode::kUsage, "optimize needs a model and an output: fettle optimize MODEL -o OUT");
  }
  check_output_file(options.output, {options.model, options.data});
  ir::Model model = load_model(options.model);
  check_not_input(options.output, files_of(model));
  const report::ModelStats before = report::model_stats(model);
  const ir::Model original = options.no_check ? ir::Model() : ir::clone(model);
  const auto pipeline = passes::run_pipeline(model, options.passes.pipeline);
  CheckResult checked;
  if (!options.no_check) checked = check(original, model, options, common);
  if (!checked.passed) {
    std::fprintf(stderr,
                 "error: the optimized model differs from the original by %g of an output's range; "
                 "nothing was written (find the pass with --check-each)\n",
                 checked.worst);
    return 1;
  }
  ir::write_model(model, options.output);
  const report::ModelStats after = report::model_stats(load_model(options.output));
  report::Json j;
  j["model"] = options.model;
  j["output"] = options.output;
  j["before"] = report::to_json(before);
  j["after"] = report::to_json(after);
  j["checked"] = checked.possible;
  j["worst_relative_error"] = checked.worst;
  j["passes"] = report::Json::array();
  std::string text = fmt::format("{} -> {}: {} -> {}, weights {} -> {}\n", options.model,
                                 options.output, before.nodes, counted(after.nodes, "node"),
                                 report::human_bytes(before.weight_bytes),
                                 report::human_bytes(after.weight_bytes));
  for (const auto& pass : pipeline.passes) {
    j["passes"].push_back({{"name", pass.name}, {"rewrites", pass.rewrites}, {"ms", pass.milliseconds}});
    if (pass.rewrites > 0) text += fmt::format("  {:<36} {}\n", pass.name, counted(pass.rewrites, "rewrite"));
  }
  j["declined"] = report::Json::array();
  for (const auto& d : pipeline.declined) {
    j["declined"].push_back({{"pass", d.pass}, {"node", d.node}, {"reason", d.reason}});
    if (common.verbose > 0) text += fmt::format("  {} declined {}: {}\n", d.pass, d.node, d.reason);
  }
  if (checked.possible) {
    text += fmt::format("  checked: outputs equal within {:.2g} of their range\n", checked.worst);
  } else if (!options.no_check) {
    text += fmt::format("  not checked: {}\n", checked.note);
  }
  print_result(common, j, text);
  return 0;
}

}  // namespace

void add_optimize(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("optimize", "Graph passes only; checks itself");
  command->add_option("model", options->model, "ONNX model");
  command->add_option("-o,--output", options->output, "Output model");
  command->add_option("--data", options->data, "Check on this data (default: random inputs)");
  command->add_flag("--no-check", options->no_check, "Do not compare outputs before and after");
  command->add_flag("--list-passes", options->list_passes, "List all passes and stop");
  options->passes.declare(*command);
  command->footer("Example:\n  fettle optimize model.onnx -o optimized.onnx");
  command->callback([options, &common, &action] {
    action = [options, &common] { return optimize(*options, common); };
  });
}

}  // namespace fettle::tools
