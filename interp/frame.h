// Runs a compiled graph.
#pragma once

#include <functional>
#include <vector>

#include "interp/plan.h"
#include "interp/trace.h"

namespace fettle::interp {

// What a run needs besides the plan.
struct RunSettings {
  int64_t iteration_limit = 0;
  // Called when a watched slot of the main graph is filled; null when nobody watches.
  std::function<void(const std::string& name, Slot& stored)> on_stored;
  // Called in its place when a step has noted the value's range.
  std::function<void(const std::string& name, const ElementRange& range)> on_range;
  Trace* trace = nullptr;  // where steps are recorded, if anywhere
};

// Executes the graph on its inputs, in the order of GraphPlan::inputs, and returns its outputs.
// Errors carry the node as context. Afterwards all slots are empty.
std::vector<ops::RuntimeValue> run_graph(GraphPlan& plan, std::vector<ops::RuntimeValue> inputs,
                                         const RunSettings& settings);

// Computes a member all of whose operands are constants.
std::vector<ops::RuntimeValue> run_constant_member(const Member& member);

}  // namespace fettle::interp
