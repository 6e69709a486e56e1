#include <memory>

#include "ir/error.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string model;
  std::string data;
  int64_t samples = 0;
};

int evaluate(const Options& options, const Common& common) {
  const ir::Model model = load_model(options.model);
  const auto data = open_data(options.data, model, options.samples);
  if (!data->labels()) {
    fail(ErrorCode::kBadInput,
         "'{}' holds no 'labels', so accuracy cannot be measured; add an integer array 'labels' with "
         "one class index per sample, or use `fettle compare` to compare two models without labels",
         options.data);
  }
  report::EvaluationOptions evaluation;
  evaluation.executor = common.executor();
  evaluation.max_samples = options.samples;
  report::TaskScorer scorer(model, *data);
  {
    ProgressBar bar("evaluating", common);
    evaluation.progress = bar.callback();
    report::run_over(model, *data, evaluation,
                     [&](int64_t first, const auto& outputs) { scorer.add(first, outputs); });
  }
  const report::TaskMetrics& metrics = scorer.metrics();
  if (!metrics.accuracy) {
    fail(ErrorCode::kUnsupported,
         "no output of '{}' holds class scores ([samples, classes], or one probability per sample with "
         "labels 0 and 1), so the labels cannot be compared",
         options.model);
  }
  report::Json j;
  j["model"] = options.model;
  j["samples"] = metrics.samples;
  j["output"] = metrics.scored_output;
  j["metrics"] = report::to_json(metrics);
  std::string text = fmt::format("{}: {}, top-1 {:.2f} %", options.model,
                                 counted(metrics.samples, "sample"),
                                 metrics.accuracy->top1_rate() * 100);
  if (metrics.accuracy->classes > 5) {
    text += fmt::format(", top-5 {:.2f} %", metrics.accuracy->top5_rate() * 100);
  }
  print_result(common, j, text + "\n");
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("evaluate", "Measure accuracy on labelled data");
  command->add_option("model", options->model, "ONNX model")->required();
  command->add_option("--data", options->data, "Data with labels")->required();
  command->add_option("--samples", options->samples, "Use at most this many samples (0: all)")
      ->check(whole_number());
  command->footer("Example:\n  fettle evaluate model.onnx --data test.h5");
  command->callback([options, &common, &action] {
    action = [options, &common] { return evaluate(*options, common); };
  });
}

}  // namespace fettle::tools
