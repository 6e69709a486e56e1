#include "tools/steps.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>

#include "ir/error.h"
#include "ops/infer.h"
#include "quant/prepare.h"

namespace fettle::tools {

void QuantizeOptions::declare(CLI::App& command) {
  command.add_option("--mode", mode, "static, dynamic, weight-only or fp16")->capture_default_str();
  command.add_option("--exclude-node", plan.exclude_nodes,
                     "Node name to leave in float; * and ? match (repeatable)");
  command.add_option("--exclude-type", plan.exclude_types,
                     "Operator type to leave in float (repeatable)");
  command.add_flag("--per-tensor", per_tensor, "One scale per weight tensor instead of per channel");
  command.add_flag("--reduce-range", plan.reduce_range,
                   "7-bit weights, for x86 CPUs without VNNI");
  command.add_flag("!--fp16-io", plan.keep_io_types, "fp16: inputs and outputs become float16 too");
  command.add_option("--fp16-block", plan.fp16_block_types,
                     "fp16: further operator types that stay float (repeatable)");
  command.add_flag("--plan-only", plan_only, "Print the quantization plan as JSON and stop");
}

quant::PlanOptions QuantizeOptions::resolved() const {
  quant::PlanOptions options = plan;
  const auto known = quant::mode_from_name(mode);
  if (!known) {
    fail(ErrorCode::kUsage, "unknown mode '{}'; choose static, dynamic, weight-only or fp16", mode);
  }
  options.mode = *known;
  options.per_channel = !per_tensor;
  return options;
}

void PassOptions::declare(CLI::App& command) {
  command.add_option("--only", pipeline.only, "Run just these passes (repeatable)");
  command.add_option("--skip", pipeline.skip, "Leave out these passes (repeatable)");
  command.add_option("--stop-after", pipeline.stop_after, "Stop after this pass");
  command.add_flag_callback(
      "--initializers-are-constant", [this] { pipeline.initializers_are_constant = true; },
      "Treat initializers that are also inputs as constants (removes those inputs)");
  command.add_flag("--check-each", pipeline.check_each, "Compare outputs after every pass");
}

passes::PipelineReport prepare_for_quantization(ir::Model& model, const Common&) {
  // Folding first: weights in Constant nodes and shape arithmetic would hide structure from the
  // opset upgrade and from the plan.
  passes::PipelineOptions options;
  options.initializers_are_constant = true;  // a quantized weight cannot be overridden
  // Folding may save nodes, but not make a small model larger: a tenth of its weights at most.
  options.fold_growth_budget = std::min<int64_t>(
      options.fold_growth_budget, report::model_stats(model).weight_bytes / 10);
  passes::PipelineReport report = passes::run_pipeline(model, options);
  const int64_t opset = model.opset();
  quant::prepare(model);
  if (model.opset() != opset) {
    const passes::PipelineReport again = passes::run_pipeline(model, options);
    report.nodes_after = again.nodes_after;
    report.rounds += again.rounds;
    for (size_t i = 0; i < report.passes.size() && i < again.passes.size(); ++i) {
      report.passes[i].rewrites += again.passes[i].rewrites;
      report.passes[i].milliseconds += again.passes[i].milliseconds;
    }
    report.declined = again.declined;
  }
  ops::infer_shapes(model);
  spdlog::info("optimized: {} nodes became {}", report.nodes_before, report.nodes_after);
  return report;
}

std::unique_ptr<calib::Dataset> open_data(const std::string& path, const ir::Model& model,
                                          int64_t samples, const char* option) {
  auto data = calib::open_dataset(path, model);
  for (const std::string& note : data->notes()) spdlog::warn("{}: {}", path, note);
  if (samples < data->size()) check_samples(samples, data->batch(), option);
  return data;
}

void check_samples(int64_t samples, int64_t batch, const char* option) {
  if (samples == 0 || samples % batch == 0) return;
  if (samples < batch) {
    fail(ErrorCode::kUsage, "the model takes {} samples at a time, but {} is {}; give {} or more", batch,
         option, samples, batch);
  }
  spdlog::warn("{} {}: the last {} of {} samples fill no batch of {} and are left out", option, samples,
               samples % batch, samples, batch);
}

calib::CalibrationTable calibrate_model(const ir::Model& model, calib::Dataset& data,
                                        calib::CalibrateOptions options, const Common& common) {
  ProgressBar bar("calibrating", common);
  options.executor = common.executor();
  options.progress = bar.callback();
  calib::CalibrationTable table = calib::calibrate(model, data, options);
  for (const std::string& warning : calib::table_warnings(table)) spdlog::warn("{}", warning);
  return table;
}

}  // namespace fettle::tools
