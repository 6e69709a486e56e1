#include <spdlog/spdlog.h>

#include <memory>

#include "ir/error.h"
#include "ir/io.h"
#include "quant/calibration_values.h"
#include "tools/remarks.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string model;
  std::string data;
  std::string table;
  std::string output;
  int64_t samples = 0;
  QuantizeOptions quantize;
};

int quantize(const Options& options, const Common& common) {
  const quant::PlanOptions plan_options = options.quantize.resolved();
  if (!options.quantize.plan_only) {
    check_output_file(options.output, {options.model, options.data, options.table});
  }
  if (!options.table.empty() && !options.data.empty()) {
    fail(ErrorCode::kUsage, "--table and --data exclude each other: the table already holds ranges of the "
         "activations (`fettle calibrate --merge` adds to it)");
  }
  if (options.samples > 0 && options.data.empty()) {
    fail(ErrorCode::kUsage, "--samples limits the calibration samples of --data, and there is no --data; "
         "leave it out");
  }
  ir::Model model = load_model(options.model);
  if (!options.quantize.plan_only) check_not_input(options.output, files_of(model));
  const bool wants_table = plan_options.mode == quant::Mode::kStatic;
  if (wants_table && options.data.empty() && options.table.empty()) {
    fail(ErrorCode::kUsage, "static quantization needs calibration: give --data or --table");
  }
  std::unique_ptr<calib::Dataset> data;
  if (!options.data.empty()) data = open_data(options.data, model, options.samples);
  const report::ModelStats before = report::model_stats(model);
  prepare_for_quantization(model, common);
  std::optional<calib::CalibrationTable> table;
  if (!options.table.empty()) {
    table = calib::load_table(options.table);
    calib::check_table(*table, model);
  } else if (data) {
    calib::CalibrateOptions calibrate_options;
    calibrate_options.max_samples = options.samples;
    if (wants_table) calibrate_options.names = quant::calibration_values(model, plan_options);
    table = calibrate_model(model, *data, calibrate_options, common);
  }
  const quant::Plan plan = wants_table && data
                               ? quant::plan_from_needed(model, *table, plan_options)
                               : quant::make_plan(model, table ? &*table : nullptr, plan_options);
  std::vector<std::string> notes = idle_options(model, plan, options.quantize, false);
  if (common.json || options.quantize.plan_only) {  // the text says so itself
    for (const std::string& note : notes) spdlog::warn("{}", note);
  }
  if (options.quantize.plan_only) {
    write_stdout(quant::plan_to_json(plan));
    return 0;
  }
  if (std::string remark = float_weights_remark(model, plan); !remark.empty()) notes.push_back(remark);
  quant::apply_plan(model, plan);
  ir::write_model(model, options.output);
  const report::ModelStats after = report::model_stats(load_model(options.output));
  std::map<std::string, int64_t> decisions;
  for (const auto& node : plan.nodes) ++decisions[node.decision];
  report::Json j;
  j["model"] = options.model;
  j["output"] = options.output;
  j["mode"] = options.quantize.mode;
  j["before"] = report::to_json(before);
  j["after"] = report::to_json(after);
  j["decisions"] = decisions;
  j["warnings"] = plan.warnings;
  j["notes"] = notes;
  std::string text = fmt::format("{} -> {} ({}): weights {} -> {}\n", options.model, options.output,
                                 options.quantize.mode, report::human_bytes(before.weight_bytes),
                                 report::human_bytes(after.weight_bytes));
  for (const auto& [decision, count] : decisions) text += fmt::format("  {}: {}\n", decision, counted(count, "node"));
  for (const std::string& warning : plan.warnings) text += fmt::format("  warning: {}\n", warning);
  for (const std::string& note : notes) text += fmt::format("  note: {}\n", note);
  print_result(common, j, text);
  return 0;
}

}  // namespace

void add_quantize(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("quantize", "Change the number format of a model");
  command->add_option("model", options->model, "ONNX model")->required();
  command->add_option("--data", options->data, "Calibration data (static mode)");
  command->add_option("--table", options->table, "Calibration table of `fettle calibrate` instead");
  CLI::Option* output = command->add_option("-o,--output", options->output, "Output model");
  command->add_option("--samples", options->samples, "Use at most this many calibration samples (0: all)")
      ->check(whole_number());
  options->quantize.declare(*command);
  command->footer("Example:\n  fettle quantize model.onnx --mode dynamic -o small.onnx");
  command->callback([options, output, &common, &action] {
    action = [options, output, &common] {
      if (output->empty() && !options->quantize.plan_only) {
        fail(ErrorCode::kUsage, "quantize needs an output file: add -o FILE");
      }
      return quantize(*options, common);
    };
  });
}

}  // namespace fettle::tools
