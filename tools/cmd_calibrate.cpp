#include <memory>

#include "ir/error.h"
#include "tools/steps.h"

namespace fettle::tools {
namespace {

struct Options {
  std::string model;
  std::string data;
  std::string output;
  std::vector<std::string> merge;
  int64_t samples = 0;
};

int calibrate(const Options& options, const Common& common) {
  check_output_file(options.output, {options.model, options.data});
  ir::Model model = load_model(options.model);
  check_not_input(options.output, files_of(model));
  const auto data = open_data(options.data, model, options.samples);
  std::vector<calib::CalibrationTable> others;
  for (const std::string& path : options.merge) others.push_back(calib::load_table(path));
  prepare_for_quantization(model, common);
  calib::CalibrateOptions calibrate_options;
  calibrate_options.max_samples = options.samples;
  calib::CalibrationTable table = calibrate_model(model, *data, calibrate_options, common);
  for (const auto& other : others) table.merge(other);
  calib::save_table(table, options.output);
  report::Json j;
  j["model"] = options.model;
  j["table"] = options.output;
  j["samples"] = table.samples;
  j["tensors"] = table.tensors.size();
  print_result(common, j, fmt::format("{}: {} over {} -> {}\n", options.model,
                                      counted(static_cast<int64_t>(table.tensors.size()), "tensor"),
                                      counted(table.samples, "sample"), options.output));
  return 0;
}

}  // namespace

void add_calibrate(CLI::App& app, Common& common, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("calibrate", "Record activation ranges in a table");
  command->add_option("model", options->model, "ONNX model")->required();
  command->add_option("--data", options->data, "Calibration data")->required();
  command->add_option("-o,--output", options->output, "Calibration table (JSON)")->required();
  command->add_option("--merge", options->merge, "Add the observations of this table (repeatable)");
  command->add_option("--samples", options->samples, "Use at most this many samples (0: all)")
      ->check(whole_number());
  command->footer("Example:\n  fettle calibrate model.onnx --data calib.h5 -o table.json");
  command->callback([options, &common, &action] {
    action = [options, &common] { return calibrate(*options, common); };
  });
}

}  // namespace fettle::tools
