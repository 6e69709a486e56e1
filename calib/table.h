// Activation statistics of a model, by value name; the product of calibration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "calib/dataset.h"
#include "ir/model.h"

namespace fettle::calib {

// Range of the finite elements seen. `count` finite elements, over all runs.
struct TensorRange {
  float min = 0;
  float max = 0;
  int64_t count = 0;
  int64_t non_finite = 0;  // NaN and infinite elements, which the range leaves out
};

using Ranges = std::unordered_map<std::string, TensorRange>;  // by value name

struct CalibrationTable {
  std::string method = "minmax";
  std::string model_digest;  // model_digest() of the model that ran; empty: not known
  int64_t samples = 0;
  std::map<std::string, TensorRange> tensors;  // ordered, so that files are byte-stable

  // Adds another table's observations. Throws kBadInput when methods or models differ.
  void merge(const CalibrationTable& other);
};

// JSON, written atomically; schema in docs/calibration_table.md.
void save_table(const CalibrationTable& table, const std::filesystem::path& path);
CalibrationTable load_table(const std::filesystem::path& path);
// The same as text. parse_table() throws kBadInput for anything that docs/calibration_table.md does
// not allow.
std::string table_to_json(const CalibrationTable& table);
CalibrationTable parse_table(std::string_view json);

// Identity of a model's structure: 64-bit FNV-1a over the inputs, the constants' names, types and
// shapes, and every node's operator and value names, of the main graph. Weights and attributes do
// not enter, so that a table can serve a retrained checkpoint. "fnv1a64:0123456789abcdef".
std::string model_digest(const ir::Model& model);
// Throws kBadInput when the table was made with another model.
void check_table(const CalibrationTable& table, const ir::Model& model);
// One line per thing that makes the table doubtful: tensors with NaN or infinite elements, tensors
// without a finite element.
std::vector<std::string> table_warnings(const CalibrationTable& table);

struct CalibrateOptions {
  std::vector<std::string> names;  // values to record; empty: every float tensor
  int64_t max_samples = 0;         // 0: all; rounded down to whole batches, but at least one
  interp::ExecutorOptions executor;
  // This one and the next are called one at a time, but from any thread, and while samples are read.
  std::function<void(int64_t done, int64_t total)> progress;
  // Called with the graph outputs of every sample (of every batch, where the model fixes one), in
  // order, so that one pass serves statistics and evaluation.
  std::function<void(int64_t first, const std::vector<ops::RuntimeValue>& outputs)> on_outputs;
};

// Streams the data set through the model and records min and max of every float tensor of the main
// graph (inputs, intermediate values, outputs). From some dozens on, samples may run together
// (sample_runs.h); beyond that, memory is independent of their number.
CalibrationTable calibrate(const ir::Model& model, Dataset& data, const CalibrateOptions& options);

}  // namespace fettle::calib
