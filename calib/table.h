// Activation statistics of a model, by value name; the product of calibration.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "calib/dataset.h"
#include "ir/model.h"

namespace fettle::calib {

// Range of the finite elements seen. `count` elements over `samples` runs.
struct TensorRange {
  float min = 0;
  float max = 0;
  int64_t count = 0;
};

struct CalibrationTable {
  std::string method = "minmax";
  std::string model_digest;  // SHA-256-free identity: ir digest of the graph's value names and ops
  int64_t samples = 0;
  std::map<std::string, TensorRange> tensors;  // ordered, so that files are byte-stable

  // Adds another table's observations. Throws kBadInput when methods differ.
  void merge(const CalibrationTable& other);
};

// JSON, written atomically; schema in docs/calibration_table.md.
void save_table(const CalibrationTable& table, const std::filesystem::path& path);
CalibrationTable load_table(const std::filesystem::path& path);

struct CalibrateOptions {
  int64_t max_samples = 0;  // 0: all
  interp::ExecutorOptions executor;
  std::function<void(int64_t done, int64_t total)> progress;
  // Called with the graph outputs of every run, so that one pass serves statistics and evaluation.
  std::function<void(int64_t first, const std::vector<ops::RuntimeValue>& outputs)> on_outputs;
};

// Streams the data set through the model and records min and max of every float tensor of the main
// graph (inputs, intermediate values, outputs). Memory is independent of the number of samples.
CalibrationTable calibrate(const ir::Model& model, Dataset& data, const CalibrateOptions& options);

}  // namespace fettle::calib
