#include <memory>

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

int run(const Options& options, const Common& common) {
  const ir::Model model = load_model(options.model);
  check_output_file(options.output, {options.model, options.data});
  check_not_input(options.output, files_of(model));
  std::vector<std::string> names;
  for (const ir::Value* v : model.graph->outputs()) names.push_back(v->name());
  report::OutputStore store;
  int64_t samples = 0;
  int64_t batch = 1;
  bool whole = true;  // every entry is a whole output tensor
  if (options.data.empty()) {
    interp::Executor executor(model, common.executor());
    samples = options.samples > 0 ? options.samples : 1;
    for (int64_t i = 0; i < samples; ++i) {
      const uint64_t seed = common.seed + static_cast<uint64_t>(i);
      store.append(executor.run(interp::usable_input(model, seed, common.executor())));
    }
  } else {
    const auto data = open_data(options.data, model);
    note_partial_batch(*data, options.samples);
    ProgressBar bar("running", common);
    report::EvaluationOptions evaluation;
    evaluation.executor = common.executor();
    evaluation.max_samples = options.samples;
    evaluation.progress = bar.callback();
    batch = data->batch();
    whole = !data->batched();
    samples = report::run_over(model, *data, evaluation,
                               [&](int64_t, const auto& outputs) { store.append(outputs); });
  }
  calib::ArraySource source;
  source.names = names;
  source.runs = store.runs();
  source.batch = batch;
  source.whole = whole;
  source.read = [&store](size_t run_index) { return store.read(run_index); };
  const auto shapes = calib::write_arrays(options.output, source);
  report::Json j;
  j["model"] = options.model;
  j["samples"] = samples;
  j["output"] = options.output;
  j["outputs"] = report::Json::array();
  std::string text = fmt::format("{}: {} -> {}\n", options.model, counted(samples, "sample"), options.output);
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
  command->add_option("--data", options->data, "Inputs (default: one random sample)");
  command->add_option("-o,--output", options->output, "Output file: .npz, .npy or .h5")->required();
  command->add_option("--samples", options->samples, "Use at most this many samples (0: all)")
      ->check(zero_or_more());
  command->footer("Example:\n  fettle run model.onnx --data test.h5 -o outputs.npz");
  command->callback([options, &common, &action] {
    action = [options, &common] { return run(*options, common); };
  });
}

}  // namespace fettle::tools
