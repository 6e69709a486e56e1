// What a pass is, the ordered list of all passes, and the manager that runs them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/model.h"

namespace fettle::passes {

// kExact: outputs are bit-identical. kRounding: floating point is reassociated. kLossy: values change.
enum class Exactness { kExact, kRounding, kLossy };

// A match that was declined, and why; reaches the report.
struct Declined {
  std::string pass;
  std::string node;  // Node::describe()
  std::string reason;
};

// What a pass may use and what it leaves behind.
struct PassContext {
  ir::Model& model;
  // Constant folding may grow the model by at most this many bytes net.
  int64_t fold_growth_budget = 1 << 20;
  std::string current_pass;
  std::vector<Declined> declined;

  void decline(const ir::Node& node, std::string reason);
};

// Rewrites the model in place; returns the number of rewrites made.
using PassFunction = int64_t (*)(PassContext&);

struct Pass {
  std::string_view name;
  std::string_view summary;
  PassFunction run;
  Exactness exactness;
  bool default_on;
};

// All passes in the order in which they run (pipeline.cpp).
std::span<const Pass> all_passes();

struct PassStatistics {
  std::string name;
  int64_t rewrites = 0;
  double milliseconds = 0;
};

struct PipelineOptions {
  std::vector<std::string> only;   // run just these, in pipeline order; empty: the default set
  std::vector<std::string> skip;
  std::string stop_after;          // name of the last pass to run, in the first round
  int max_rounds = 8;
  int64_t fold_growth_budget = 1 << 20;
  // Compares the outputs of every pass with those before it on these inputs (--check-each).
  bool check_each = false;
  std::function<void(std::string_view pass, const ir::Model&)> after_each;
};

struct PipelineReport {
  int64_t nodes_before = 0;
  int64_t nodes_after = 0;
  int rounds = 0;
  std::vector<PassStatistics> passes;
  std::vector<Declined> declined;
};

// Runs the list to a fixed point (at most max_rounds; stops on oscillation), verifying the structure
// after every pass. Throws kUsage for an unknown pass name, kInternal naming the pass that broke it.
PipelineReport run_pipeline(ir::Model& model, const PipelineOptions& options = {});

}  // namespace fettle::passes
