// What a pass is, the ordered list of all passes, and the manager that runs them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "interp/executor.h"
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

class TensorHashes;

// What a pass may use and what it leaves behind.
struct PassContext {
  ir::Model& model;
  // Constant folding may grow the model by at most this many bytes net, over all rounds.
  int64_t fold_growth_budget = 1 << 20;
  // Initializers that are also graph inputs are meant as constants (see PipelineOptions).
  bool initializers_are_constant = false;
  std::string current_pass = {};
  std::vector<Declined> declined = {};
  // Hashes of constants seen so far, so that large ones are read once over all rounds.
  std::shared_ptr<TensorHashes> hashes = nullptr;

  void decline(const ir::Node& node, std::string reason);
  // Contents of `value` when no caller can change them, else null (also for a null value).
  const ir::Tensor* constant(const ir::Value* value) const;
  // Version that the model imports of the node's domain.
  int64_t opset(const ir::Node& node) const { return model.opset(node.domain); }
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
  // Whether initializers that are also graph inputs are constants; they are then no inputs any more.
  // Unset: before IR version 4, which demanded that every initializer be an input, they are; from
  // then on they are defaults that callers may override, and no weight among them is touched.
  std::optional<bool> initializers_are_constant;
  // Runs the model after every pass that changed it and compares the outputs with those before, on
  // `check_inputs` or, when empty, on generated inputs (--check-each).
  bool check_each = false;
  std::vector<interp::Feeds> check_inputs;
  interp::ExecutorOptions check_executor;
  uint64_t seed = 0;
  std::function<void(std::string_view pass, const ir::Model&)> after_each;
};

struct PipelineReport {
  int64_t nodes_before = 0;
  int64_t nodes_after = 0;
  int rounds = 0;
  // False when the last round still changed the model: cap reached, oscillation or stop_after.
  bool converged = false;
  bool oscillated = false;
  std::vector<PassStatistics> passes;
  std::vector<Declined> declined;  // of the last round
};

// Runs the list to a fixed point (at most max_rounds; stops on oscillation), verifying the structure
// after every pass. Throws kUsage for an unknown pass name, kInternal naming the pass that broke it.
PipelineReport run_pipeline(ir::Model& model, const PipelineOptions& options = {});
// The same with a list of one's own.
PipelineReport run_pipeline(ir::Model& model, const PipelineOptions& options,
                            std::span<const Pass> passes);

}  // namespace fettle::passes
