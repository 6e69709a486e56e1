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

// Prints the result: JSON on stdout with --json, else `text` on stdout (nothing when quiet). Throws
// kBadInput when stdout cannot be written.
void print_result(const Common& common, const report::Json& json, const std::string& text);

// Optimizes for quantization: opset 13 or newer, functions inlined, default passes, shapes inferred.
passes::PipelineReport prepare_for_quantization(ir::Model& model, const Common& common);

// Opens a data set for the model; what was noticed on the way is logged as warnings.
std::unique_ptr<calib::Dataset> open_data(const std::string& path, const ir::Model& model);

// Says so where a model that takes several samples at a time cannot run just the `asked` ones.
void note_partial_batch(const calib::Dataset& data, int64_t asked);
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
