#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "calib/write_arrays.h"
#include "interp/random_inputs.h"
#include "ir/error.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string model;
  std::string data;
  std::string output;
  int64_t samples = 0;
};

// What was run, and how the samples lie in the outputs.
struct Runs {
  int64_t samples = 0;
  int64_t batch = 1;
  bool whole = false;  // every run's output is one entry
};

// Samples in made-up inputs, as data for them would be understood: the extent of axis 0 of all of them, or
// 1 where some have that and others, such as states, are whole. Nothing when no axis can be samples.
std::optional<int64_t> samples_in(const interp::Feeds& feeds) {
  std::set<int64_t> extents;
  for (const auto& [name, value] : feeds) {
    if (value.tensor.rank() > 0) extents.insert(value.tensor.dim(0));
  }
  if (extents.contains(1)) return 1;
  return extents.size() == 1 ? std::optional(*extents.begin()) : std::nullopt;
}

// Laid out as data would be whose arrays have the rank of the inputs.
Runs run_random(const ir::Model& model, const Options& options, const Common& common,
                report::OutputStore& store) {
  interp::Executor executor(model, common.executor());
  interp::Feeds feeds = interp::usable_input(model, common.seed, common.executor());
  const auto rows = samples_in(feeds);
  Runs runs{0, std::max<int64_t>(rows.value_or(1), 1), !rows};
  check_samples(options.samples, runs.batch, "--samples");
  const int64_t count = std::max<int64_t>(options.samples / runs.batch, 1);
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t seed = common.seed + static_cast<uint64_t>(i);
    if (i > 0) feeds = interp::usable_input(model, seed, common.executor());
    store.append(executor.run(feeds));
  }
  runs.samples = count * runs.batch;
  return runs;
}

Runs run_data(const ir::Model& model, const Options& options, const Common& common,
              report::OutputStore& store) {
  const auto data = open_data(options.data, model, options.samples);
  ProgressBar bar("running", common);
  report::EvaluationOptions evaluation;
  evaluation.executor = common.executor();
  evaluation.max_samples = options.samples;
  evaluation.progress = bar.callback();
  const int64_t samples = report::run_over(model, *data, evaluation, [&](int64_t, const auto& outputs) {
    store.append(outputs);
  });
  return {samples, data->batch(), !data->batched()};
}

int run(const Options& options, const Common& common) {
  const ir::Model model = load_model(options.model);
  std::vector<std::string> names;
  for (const ir::Value* v : model.graph->outputs()) names.push_back(v->name());
  check_output_file(options.output, {options.model, options.data});
  check_not_input(options.output, files_of(model));
  calib::check_array_path(options.output, names.size());
  report::OutputStore store;
  const Runs runs = options.data.empty() ? run_random(model, options, common, store)
                                         : run_data(model, options, common, store);
  calib::ArraySource source;
  source.names = names;
  source.runs = store.runs();
  source.batch = runs.batch;
  source.whole = runs.whole;
  source.read = [&store](size_t run_index) { return store.read(run_index); };
  const auto shapes = calib::write_arrays(options.output, source);
  report::Json j;
  j["model"] = options.model;
  j["samples"] = runs.samples;
  j["output"] = options.output;
  j["outputs"] = report::Json::array();
  std::string text = fmt::format("{}: {} -> {}\n", options.model, counted(runs.samples, "sample"), options.output);
  for (size_t i = 0; i < names.size(); ++i) {
    j["outputs"].push_back({{"name", names[i]}, {"shape", shapes[i]}});
    text += fmt::format("  {}: {}\n", names[i], ir::to_string(shapes[i]));
  }
  print_result(common, j, text);
  return 0;
}

}  // namespace

void add_run(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "Run a model and store its outputs");
  command->add_option("model", options->model, "ONNX model")->required();
  command->add_option("--data", options->data, "Inputs (default: one random sample, or batch)");
  command->add_option("-o,--output", options->output, "Output file: .npz, .npy or .h5")->required();
  command->add_option("--samples", options->samples, "Use at most this many samples (0: all)")
      ->check(whole_number());
  command->footer("Example:\n  fettle run model.onnx --data test.h5 -o outputs.npz");
  command->callback([options, &common, &action] {
    action = [options, &common] { return run(*options, common); };
  });
}

}  // namespace fettle::tools
