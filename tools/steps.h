// Steps that several commands share, and their options.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calib/table.h"
#include "passes/pass.h"
#include "quant/plan.h"
#include "report/report.h"
#include "tools/cli.h"

namespace fettle::tools {

// `--mode`, exclusions and number formats.
struct QuantizeOptions {
  std::string mode = "static";
  quant::PlanOptions plan;
  bool per_tensor = false;
  bool plan_only = false;

  void declare(CLI::App& command);
  // The options as make_plan() takes them; throws kUsage for an unknown mode.
  quant::PlanOptions resolved() const;
};

// Graph passes as chosen by --only, --skip and --stop-after.
struct PassOptions {
  passes::PipelineOptions pipeline;
  void declare(CLI::App& command);
};

// Prints the result on stdout: JSON with --json, else `text`. --quiet concerns stderr only. Throws
// kBadInput when stdout cannot be written.
void print_result(const Common& common, const report::Json& json, const std::string& text);

// Optimizes for quantization: opset 13 or newer, functions inlined, default passes, shapes inferred.
passes::PipelineReport prepare_for_quantization(ir::Model& model, const Common& common);

// Opens a data set for the model; what was noticed on the way is logged as warnings. `samples` is the
// most that will be used of it (0: all), as `option` gives it: see check_samples().
std::unique_ptr<calib::Dataset> open_data(const std::string& path, const ir::Model& model,
                                          int64_t samples = 0, const char* option = "--samples");
// Samples run in whole batches. Throws kUsage when `samples` (0: no limit) are less than one; those that
// do not fill the last one are left out, of which a warning tells.
void check_samples(int64_t samples, int64_t batch, const char* option);

// Min-max statistics of `model` over the data set, with the common options and a progress bar.
calib::CalibrationTable calibrate_model(const ir::Model& model, calib::Dataset& data,
                                        calib::CalibrateOptions options, const Common& common);

// A folder that receives files all at once: they are made in a hidden staging folder inside it and
// move to their names on commit(). Without commit (an error, SIGINT, SIGTERM) everything that was
// made is removed, the folder too if it was made here.
class OutputFolder {
 public:
  // Throws kUsage when `path` is a file, its parent is missing, or it cannot be written.
  explicit OutputFolder(const std::string& path);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  std::string staged(const std::string& file) const;  // where to write `file` for now
  std::string final_path(const std::string& file) const;
  void commit();

 private:
  std::string folder_;
  std::string staging_;
  bool made_folder_ = false;
  bool committed_ = false;
};

}  // namespace fettle::tools
