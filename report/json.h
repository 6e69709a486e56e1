// JSON forms of what report/ measures. Field names are part of the documented schema
// (docs/report.md).
#pragma once

#include <nlohmann/json.hpp>

#include "report/bench.h"
#include "report/evaluation.h"
#include "report/model_stats.h"

namespace fettle::report {

using Json = nlohmann::ordered_json;

// SQNR and other unbounded figures are cut to +-999 so that they stay numbers.
double bounded(double value);
Json to_json(const ModelStats& stats);
Json to_json(const OutputComparison& comparison);
// {"top1": ..., "top5": ...}; empty object without labels.
Json to_json(const TaskMetrics& metrics);
// {"samples", "outputs": [...], "top1_agreement"}; samples is `samples`.
Json to_json(const Comparer& comparer, int64_t samples);
// [{"name", "shape", "symbolic"}, ...]
Json to_json(const std::vector<InputShape>& inputs);
// {"runs": [...]}; model names are file names without folder.
Json to_json(const std::vector<BenchResult>& results);
// Text with two-space indentation and a final newline; invalid UTF-8 is replaced.
std::string dump(const Json& json);

}  // namespace fettle::report
