// The limits of `fettle compress`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "report/report.h"

namespace fettle::tools {

struct Limits {
  double max_drop = -1;  // negative: none
  std::string max_size;  // empty: none
  double max_latency = -1;

  void declare(CLI::App& command);
  // Throws kUsage for limits that cannot be judged: --max-latency where nothing is measured.
  void check(bool no_bench) const;
};

// Adds a gate, and a note where one needs a word, for every limit that is set. What cannot be judged
// has failed, whatever the limit.
void judge(report::CompressReport& report, const Limits& limits);
// "error: gate ..." on stderr for every gate that failed, --quiet or not.
void print_failed_gates(const report::CompressReport& report);

}  // namespace fettle::tools
