// The report of a compression: everything measured, as JSON (schema in docs/report.md) and as a
// summary for the terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "passes/pass.h"
#include "quant/plan.h"
#include "report/json.h"

namespace fettle::report {

// One limit that the user set, and whether it was kept.
struct Gate {
  std::string name;  // "max-drop", "max-size", "max-latency"
  double limit = 0;
  std::optional<double> value;  // nothing: it could not be measured, and the gate has failed
  bool passed = false;
};
std::string to_string(const Gate& gate);  // "max-drop: FAILED (limit 0.01, found 0.2)"

struct PruneSummary {
  double requested = 0;  // share of weights to zero
  int64_t weights = 0;
  int64_t zeros_before = 0;
  int64_t zeros_after = 0;
  int64_t compressed_before = 0;  // bytes of the weights under deflate
  int64_t compressed_after = 0;
};

struct CompressReport {
  std::string input_path;   // as typed, for the summary alone
  std::string output_path;
  std::string input_name;   // file names only: reports hold no paths
  std::string output_name;
  std::string mode;
  int64_t calibration_samples = 0;
  int64_t evaluation_samples = 0;
  ModelStats before;
  ModelStats after;
  passes::PipelineReport optimize;
  double optimize_error = 0;  // optimized against original, relative to the outputs' range
  quant::Plan plan;
  std::optional<PruneSummary> prune;
  TaskMetrics metrics_before;
  TaskMetrics metrics_after;
  Json comparison;                     // as of to_json(Comparer)
  std::vector<BenchResult> latency;    // before and after, per engine
  std::vector<std::string> notes;      // honest remarks: what could not be measured, and why
  std::vector<Gate> gates;

  bool passed() const;
  // top-1 before minus after, as a fraction; nothing without labels.
  std::optional<double> top1_drop() const;
};

Json to_json(const CompressReport& report);
// A table of before, after and change, then remarks and gates; at most 100 columns.
std::string summary(const CompressReport& report);
// Median latency rows of a bench, for the terminal.
std::string summary(const std::vector<BenchResult>& results);
std::string human_bytes(int64_t bytes);

}  // namespace fettle::report
