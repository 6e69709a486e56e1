#include <cstdio>
#include <memory>
#include <set>

#include "interp/random_inputs.h"
#include "ir/error.h"
#include "ir/io.h"
#include "report/onnxruntime.h"
#include "report/profile.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string data;
  std::string engine = "both";
  bool plan = false;
  std::string trace;
  report::BenchOptions bench;
};

// --plan and --profile: what the steps of one model cost in fettle's own executor.
int bench_steps(const Options& options, const Common& common) {
  if (options.models.size() != 1) {
    fail(ErrorCode::kUsage, "--plan and --profile take one model, found {}", options.models.size());
  }
  if (options.engine == "onnxruntime") {
    fail(ErrorCode::kUsage, "--plan and --profile show the steps of fettle's own executor; leave out --engine "
         "onnxruntime");
  }
  const ir::Model model = load_model(options.models[0]);
  if (!options.trace.empty()) {
    check_output_file(options.trace, {options.data});
    check_not_input(options.trace, files_of(model));
  }
  const interp::Feeds feeds = options.data.empty()
                                  ? interp::usable_input(model, common.seed, {})
                                  : open_data(options.data, model)->read(0);
  interp::ExecutorOptions executor_options;
  executor_options.threads = common.threads;
  executor_options.exact = common.exact;
  interp::Executor executor(model, executor_options);
  const auto profile =
      report::profile(executor, feeds, {options.bench.warmup, options.bench.runs});
  if (!options.trace.empty()) {
    ir::write_file(options.trace, report::dump(report::chrome_trace(profile, options.models[0])));
  }
  report::Json j = report::to_json(profile);
  j["model"] = options.models[0];
  const auto inputs = report::input_shapes(model, feeds);
  j["inputs"] = report::to_json(inputs);
  std::string text = report::plan_table(profile);
  const std::string chosen = options.data.empty() ? report::chosen_shapes_note(inputs) : "";
  if (!chosen.empty()) text += fmt::format("  note: {}\n", chosen);
  if (!options.trace.empty()) text += fmt::format("  trace: {}\n", options.trace);
  print_result(common, j, text);
  return 0;
}

// The extents that were made up: a note per model, with its name where there are several.
std::string chosen_shapes(const Options& options, const std::vector<report::BenchResult>& results) {
  if (!options.data.empty()) return "";
  std::string text;
  std::set<std::string> told;
  const auto names = report::display_names(results);
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string note = report::chosen_shapes_note(results[i].inputs);
    if (note.empty() || !told.insert(results[i].request.model_path).second) continue;
    text += fmt::format("  note: {}{}\n", options.models.size() > 1 ? names[i] + ": " : "", note);
  }
  return text;
}

int bench(const Options& options, const Common& common) {
  if (options.plan || !options.trace.empty()) return bench_steps(options, common);
  std::vector<report::Engine> engines;
  if (options.engine != "onnxruntime") engines.push_back(report::Engine::kFettle);
  const auto library = options.engine != "fettle" ? report::usable_onnxruntime(common.ort_library)
                                                  : std::nullopt;
  if (options.engine == "onnxruntime" && !library) {
    fail(ErrorCode::kUsage,
         "no ONNX Runtime library found; name one with --ort-library or FETTLE_ORT_LIBRARY");
  }
  if (library) engines.push_back(report::Engine::kOnnxRuntime);
  std::vector<report::BenchRequest> requests;
  for (const std::string& path : options.models) {
    const ir::Model model = load_model(path);  // a bad file is the user's error, not a bench result
    if (options.data.empty()) {
      interp::generate_inputs(model, common.seed);  // throws for inputs that cannot be made up
    } else {
      open_data(options.data, model);
    }
    for (const auto engine : engines) requests.push_back({path, engine, options.data, path});
  }
  report::BenchOptions bench_options = options.bench;
  bench_options.threads = common.threads;
  bench_options.seed = common.seed;
  bench_options.exact = common.exact;
  bench_options.ort_library = library.value_or("");
  const auto results = report::run_bench(requests, bench_options);
  report::Json j = report::to_json(results);
  for (size_t i = 0; i < results.size(); ++i) j["runs"][i]["model"] = results[i].request.model_path;
  std::string text = report::summary(results) + chosen_shapes(options, results);
  if (options.engine == "both" && !library) {
    text += "  note: no ONNX Runtime library found; only fettle's own executor was measured\n";
  }
  const std::string doubt = report::reliability_note(results);
  if (!doubt.empty()) text += fmt::format("  note: {}\n", doubt);
  print_result(common, j, text);
  // What an engine that was asked for could not do is a failure; "both" takes ONNX Runtime as it is.
  int code = 0;
  for (const auto& result : results) {
    if (result.error.empty()) continue;
    if (options.engine == "both" && result.request.engine == report::Engine::kOnnxRuntime) continue;
    std::fprintf(stderr, "error: %s: %s\n", result.request.model_path.c_str(), result.error.c_str());
    code = 2;
  }
  return code;
}

}  // namespace

void add_bench(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bench", "Measure latency and peak memory");
  command->add_option("models", options->models, "ONNX models, measured in turn")->required();
  command->add_option("--data", options->data, "Take the input from this data (default: random)");
  command->add_option("--engine", options->engine, "fettle, onnxruntime or both")
      ->check(CLI::IsMember({"fettle", "onnxruntime", "both"}))
      ->capture_default_str();
  command->add_option("--runs", options->bench.runs, "Timed runs per model and engine")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--warmup", options->bench.warmup, "Runs before that are not timed")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command->add_option("--max-seconds", options->bench.max_seconds, "Stop after this time in all")
      ->check(more_than_zero())
      ->capture_default_str();
  command->add_flag("--plan", options->plan,
                    "Print what every step of fettle's executor costs: kernel, layout, time, bytes");
  command->add_option("--profile", options->trace,
                      "The same as a file that chrome://tracing and Perfetto show");
  command->footer("Example:\n  fettle bench model.onnx out/model.onnx --threads 2");
  command->callback([options, &common, &action] {
    action = [options, &common] { return bench(*options, common); };
  });
}

}  // namespace fettle::tools
