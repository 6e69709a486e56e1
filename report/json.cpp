#include "report/json.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace fettle::report {

double bounded(double value) {
  if (std::isnan(value)) return 0;
  return std::clamp(value, -999.0, 999.0);
}

Json to_json(const ModelStats& s) {
  Json j;
  j["nodes"] = s.nodes;
  j["parameters"] = s.parameters;
  j["weight_bytes"] = s.weight_bytes;
  j["file_bytes"] = s.file_bytes;
  j["macs"] = s.macs;
  j["macs_complete"] = s.macs_complete;
  j["operators"] = Json::object();
  for (const auto& [name, count] : s.operators) j["operators"][name] = count;
  j["weight_types"] = Json::object();
  for (const auto& [name, bytes] : s.weight_types) j["weight_types"][name] = bytes;
  j["dynamic_axes"] = s.dynamic_axes;
  return j;
}

Json to_json(const OutputComparison& c) {
  const double largest = std::numeric_limits<double>::max();
  Json j;
  j["name"] = c.name;
  j["elements"] = c.elements;
  j["max_abs"] = std::min(c.max_abs, largest);
  j["max_rel"] = std::min(c.max_rel, largest);
  j["sqnr_db"] = bounded(c.sqnr_db());
  j["cosine"] = c.cosine();
  j["mse"] = std::min(c.mean_squared_error(), largest);
  j["reference_min"] = c.reference_min;
  j["reference_max"] = c.reference_max;
  j["mismatched_special"] = c.mismatched_special;
  return j;
}

Json to_json(const TaskMetrics& m) {
  Json j = Json::object();
  if (!m.accuracy) return j;
  j["top1"] = m.accuracy->top1_rate();
  if (m.accuracy->classes > 5) j["top5"] = m.accuracy->top5_rate();
  return j;
}

Json to_json(const Comparer& comparer, int64_t samples) {
  Json j;
  j["samples"] = samples;
  j["outputs"] = Json::array();
  for (const OutputComparison& c : comparer.outputs()) j["outputs"].push_back(to_json(c));
  if (comparer.agreement()) {
    j["top1_agreement"] = comparer.agreement()->rate();
    j["scores_output"] = comparer.agreement_output();
  } else {
    j["top1_agreement"] = nullptr;
    j["scores_output"] = nullptr;
  }
  return j;
}

Json to_json(const std::vector<InputShape>& inputs) {
  Json j = Json::array();
  for (const InputShape& input : inputs) {
    j.push_back({{"name", input.name}, {"shape", input.dims}, {"symbolic", input.symbolic}});
  }
  return j;
}

Json to_json(const std::vector<BenchResult>& results) {
  Json j;
  j["runs"] = Json::array();
  const auto names = display_names(results);
  for (size_t i = 0; i < results.size(); ++i) {
    const BenchResult& r = results[i];
    Json run;
    run["model"] = names[i];
    run["engine"] = engine_name(r.request.engine);
    run["engine_version"] = r.engine_version;
    run["threads"] = r.threads;
    run["inputs"] = to_json(r.inputs);
    run["runs"] = r.milliseconds.size();
    if (r.error.empty()) {
      run["median_ms"] = r.median_ms();
      run["p95_ms"] = r.p95_ms();
      run["peak_bytes"] = r.peak_bytes;
    } else {
      run["error"] = r.error;
    }
    j["runs"].push_back(std::move(run));
  }
  return j;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fettle::report
