#include "report/report.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "report/version.h"

namespace fettle::report {
namespace {

Json size_json(const ModelStats& s) {
  Json j = to_json(s);
  j.erase("dynamic_axes");
  return j;
}

Json optimize_json(const passes::PipelineReport& r) {
  Json j;
  j["nodes_before"] = r.nodes_before;
  j["nodes_after"] = r.nodes_after;
  j["rounds"] = r.rounds;
  j["passes"] = Json::array();
  for (const auto& p : r.passes) {
    j["passes"].push_back({{"name", p.name}, {"rewrites", p.rewrites}});
  }
  j["declined"] = Json::array();
  for (const auto& d : r.declined) {
    j["declined"].push_back({{"pass", d.pass}, {"node", d.node}, {"reason", d.reason}});
  }
  return j;
}

Json plan_summary_json(const quant::Plan& plan) {
  std::map<std::string, int64_t> decisions;
  for (const auto& n : plan.nodes) ++decisions[n.decision];
  Json j;
  j["mode"] = std::string(quant::mode_name(plan.mode));
  j["decisions"] = Json::object();
  for (const auto& [decision, count] : decisions) j["decisions"][decision] = count;
  j["nodes"] = Json::array();
  for (const auto& n : plan.nodes) {
    j["nodes"].push_back({{"node", n.node},
                          {"operator", n.op_type},
                          {"decision", n.decision},
                          {"reason", n.reason}});
  }
  j["warnings"] = plan.warnings;
  return j;
}

Json prune_json(const PruneSummary& p) {
  return {{"requested", p.requested},
          {"weights", p.weights},
          {"zeros_before", p.zeros_before},
          {"zeros_after", p.zeros_after},
          {"compressed_bytes_before", p.compressed_before},
          {"compressed_bytes_after", p.compressed_after}};
}

double ratio(int64_t after, int64_t before) {
  return before > 0 ? static_cast<double>(after) / static_cast<double>(before) : 0;
}

std::string percent(double fraction) { return fmt::format("{:.2f} %", fraction * 100); }

std::string row(const std::string& what, const std::string& before, const std::string& after,
                const std::string& change) {
  return fmt::format("  {:<26} {:>14} {:>14}   {}\n", what, before, after, change);
}

std::string accuracy_rows(const CompressReport& r) {
  std::string text;
  const auto& before = r.metrics_before.accuracy;
  const auto& after = r.metrics_after.accuracy;
  if (before && after) {
    text += row(fmt::format("top-1 ({} samples)", before->samples), percent(before->top1_rate()),
                percent(after->top1_rate()),
                fmt::format("{:+.2f} points", (after->top1_rate() - before->top1_rate()) * 100));
    if (before->classes > 5) {
      text += row("top-5", percent(before->top5_rate()), percent(after->top5_rate()),
                  fmt::format("{:+.2f} points", (after->top5_rate() - before->top5_rate()) * 100));
    }
  }
  for (const Json& o : r.comparison.value("outputs", Json::array())) {
    const std::string name = o["name"].get<std::string>();
    text += row(fmt::format("output {}", name.size() > 18 ? name.substr(0, 17) + "~" : name), "",
                fmt::format("{:.1f} dB", o["sqnr_db"].get<double>()),
                fmt::format("SQNR; cosine {:.5f}, max error {:.3g}", o["cosine"].get<double>(),
                            o["max_abs"].get<double>()));
  }
  if (r.comparison.contains("top1_agreement") && r.comparison["top1_agreement"].is_number()) {
    text += row("top class agrees", "", percent(r.comparison["top1_agreement"].get<double>()), "");
  }
  return text;
}

std::string latency_rows(const CompressReport& r) {
  std::string text;
  // Pairs of (before, after) of one engine stand next to each other.
  for (size_t i = 0; i + 1 < r.latency.size(); i += 2) {
    const BenchResult& before = r.latency[i];
    const BenchResult& after = r.latency[i + 1];
    const std::string label = fmt::format("latency, {}", engine_name(before.request.engine));
    if (!before.error.empty() || !after.error.empty()) {
      text += row(label, "-", "-", "not measured: " + (before.error.empty() ? after.error : before.error));
      continue;
    }
    const double speedup = after.median_ms() > 0 ? before.median_ms() / after.median_ms() : 0;
    text += row(label, fmt::format("{:.3f} ms", before.median_ms()),
                fmt::format("{:.3f} ms", after.median_ms()),
                fmt::format("{:.2f}x as fast ({}, {} threads, median of {} runs)", speedup,
                            before.engine_version, before.threads, after.milliseconds.size()));
  }
  return text;
}

}  // namespace

std::string human_bytes(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 10240) return fmt::format("{} B", bytes);
  if (bytes < 10 * 1024 * 1024) return fmt::format("{:.1f} KiB", value / 1024);
  return fmt::format("{:.1f} MiB", value / (1024 * 1024));
}

std::string to_string(const Gate& gate) {
  return fmt::format("{}: {} (limit {:g}, {})", gate.name, gate.passed ? "kept" : "FAILED", gate.limit,
                     gate.value ? fmt::format("found {:g}", *gate.value) : "could not be judged");
}

bool CompressReport::passed() const {
  for (const Gate& gate : gates) {
    if (!gate.passed) return false;
  }
  return true;
}

std::optional<double> CompressReport::top1_drop() const {
  if (!metrics_before.accuracy || !metrics_after.accuracy) return std::nullopt;
  return metrics_before.accuracy->top1_rate() - metrics_after.accuracy->top1_rate();
}

Json to_json(const CompressReport& r) {
  Json j;
  j["schema"] = "fettle-report";
  j["version"] = 1;
  j["fettle"] = kVersion;
  j["input"] = r.input_name;
  j["output"] = r.output_name;
  j["mode"] = r.mode;
  j["before"] = size_json(r.before);
  j["after"] = size_json(r.after);
  j["size"] = {{"file_ratio", ratio(r.after.file_bytes, r.before.file_bytes)},
               {"weight_ratio", ratio(r.after.weight_bytes, r.before.weight_bytes)}};
  Json accuracy;
  accuracy["calibration_samples"] = r.calibration_samples;
  accuracy["evaluation_samples"] = r.evaluation_samples;
  accuracy["before"] = to_json(r.metrics_before);
  accuracy["after"] = to_json(r.metrics_after);
  if (const auto drop = r.top1_drop()) {
    accuracy["top1_drop"] = *drop;
  } else {
    accuracy["top1_drop"] = nullptr;
  }
  accuracy["comparison"] = r.comparison;
  j["accuracy"] = std::move(accuracy);
  j["latency"] = to_json(r.latency);
  j["optimize"] = optimize_json(r.optimize);
  j["optimize"]["worst_relative_error"] = r.optimize_error;
  j["quantize"] = plan_summary_json(r.plan);
  if (r.prune) {
    j["prune"] = prune_json(*r.prune);
  } else {
    j["prune"] = nullptr;
  }
  j["notes"] = r.notes;
  j["gates"] = Json::array();
  for (const Gate& g : r.gates) {
    j["gates"].push_back({{"name", g.name},
                          {"limit", g.limit},
                          {"value", g.value ? Json(*g.value) : Json(nullptr)},
                          {"passed", g.passed}});
  }
  j["passed"] = r.passed();
  return j;
}

std::string summary(const CompressReport& r) {
  std::map<std::string, int64_t> decisions;
  for (const auto& n : r.plan.nodes) ++decisions[n.decision];
  std::string text = fmt::format("{} -> {} ({})\n", r.input_path, r.output_path, r.mode);
  text += row("", "before", "after", "change");
  text += accuracy_rows(r);
  text += row("file", human_bytes(r.before.file_bytes), human_bytes(r.after.file_bytes),
              fmt::format("{:.2f} of the size", ratio(r.after.file_bytes, r.before.file_bytes)));
  text += row("weights", human_bytes(r.before.weight_bytes), human_bytes(r.after.weight_bytes),
              fmt::format("{:.2f} of the size", ratio(r.after.weight_bytes, r.before.weight_bytes)));
  text += row("nodes", std::to_string(r.before.nodes), std::to_string(r.after.nodes), "");
  text += latency_rows(r);
  if (r.prune) {
    text += fmt::format("  pruned: {} of {} weights are zero (dense runtimes get neither smaller nor faster by it)\n",
                        r.prune->zeros_after, r.prune->weights);
  }
  std::string counts;
  for (const auto& [decision, count] : decisions) {
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, decision);
  }
  if (!counts.empty()) text += fmt::format("  nodes by decision: {}\n", counts);
  for (const std::string& warning : r.plan.warnings) text += fmt::format("  warning: {}\n", warning);
  for (const std::string& note : r.notes) text += fmt::format("  note: {}\n", note);
  for (const Gate& g : r.gates) {
    text += fmt::format("  gate {}\n", to_string(g));
  }
  return text;
}

std::string summary(const std::vector<BenchResult>& results) {
  std::string text = fmt::format("  {:<32} {:<12} {:>7} {:>12} {:>12} {:>12}\n", "model", "engine",
                                 "threads", "median", "p95", "peak memory");
  const auto names = display_names(results);
  for (size_t i = 0; i < results.size(); ++i) {
    const BenchResult& r = results[i];
    const std::string& name = names[i];
    if (!r.error.empty()) {
      text += fmt::format("  {:<32} {:<12} not measured: {}\n", name, engine_name(r.request.engine),
                          r.error);
      continue;
    }
    text += fmt::format("  {:<32} {:<12} {:>7} {:>9.3f} ms {:>9.3f} ms {:>12}\n", name,
                        engine_name(r.request.engine), r.threads, r.median_ms(), r.p95_ms(),
                        human_bytes(r.peak_bytes));
  }
  return text;
}

}  // namespace fettle::report
