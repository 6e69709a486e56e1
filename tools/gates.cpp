#include "tools/gates.h"

#include <cstdio>

#include "ir/error.h"
#include "tools/cli.h"

namespace fettle::tools {
namespace {

// Name of the first output that holds NaN or infinity where the original has something else.
std::string broken_output(const report::Json& comparison) {
  for (const auto& o : comparison.value("outputs", report::Json::array())) {
    if (o["mismatched_special"].get<int64_t>() > 0) return o["name"].get<std::string>();
  }
  return "";
}

report::Gate judge_drop(report::CompressReport& report, double limit) {
  report::Gate gate{"max-drop", limit, std::nullopt, false};
  const auto drop = report.top1_drop();
  const auto& agreement = report.comparison["top1_agreement"];
  if (drop) {
    gate.value = *drop;
  } else if (agreement.is_number()) {
    gate.value = 1 - agreement.get<double>();
    report.notes.push_back("no labels: max-drop was judged by disagreement of the top class");
  } else {
    report.notes.push_back(
        "no labels, and no output that is known to hold class scores: max-drop cannot be judged and "
        "counts as failed; give data with labels, or leave the limit out and read the SQNR");
  }
  gate.passed = gate.value && *gate.value <= gate.limit + 1e-12;
  const std::string broken = broken_output(report.comparison);
  if (!broken.empty()) {
    gate.passed = false;
    report.notes.push_back(fmt::format(
        "output '{}' holds NaN or infinity where the original does not: max-drop counts as failed", broken));
  }
  return gate;
}

report::Gate judge_latency(const report::CompressReport& report, double limit) {
  // ONNX Runtime's figure, the last one, where it was measured: that is what will be deployed.
  report::Gate gate{"max-latency", limit, std::nullopt, false};
  for (size_t i = 1; i < report.latency.size(); i += 2) {
    if (report.latency[i].error.empty()) gate.value = report.latency[i].median_ms();
  }
  gate.passed = gate.value && *gate.value <= limit;
  return gate;
}

}  // namespace

void Limits::declare(CLI::App& command) {
  command
      .add_option("--max-drop", max_drop,
                  "Exit 1 when top-1 falls by more than this fraction (0.01 = 1 point)")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--max-size", max_size, "Exit 1 when the file is larger, e.g. 4M");
  command.add_option("--max-latency", max_latency, "Exit 1 when one run takes longer (ms)")
      ->check(more_than_zero());
}

void Limits::check(bool no_bench) const {
  if (!max_size.empty()) parse_bytes(max_size);
  if (max_latency >= 0 && no_bench) {
    fail(ErrorCode::kUsage, "--max-latency needs a measurement: take out --no-bench");
  }
}

void judge(report::CompressReport& report, const Limits& limits) {
  if (limits.max_drop >= 0) report.gates.push_back(judge_drop(report, limits.max_drop));
  if (!limits.max_size.empty()) {
    const auto limit = static_cast<double>(parse_bytes(limits.max_size));
    const auto size = static_cast<double>(report.after.file_bytes);
    report.gates.push_back({"max-size", limit, size, size <= limit});
  }
  if (limits.max_latency >= 0) report.gates.push_back(judge_latency(report, limits.max_latency));
}

void print_failed_gates(const report::CompressReport& report) {
  for (const report::Gate& gate : report.gates) {
    if (!gate.passed) std::fprintf(stderr, "error: gate %s\n", to_string(gate).c_str());
  }
}

}  // namespace fettle::tools
