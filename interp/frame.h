// Runs a compiled graph.
#pragma once

#include <functional>
#include <unordered_set>
#include <vector>

#include "interp/plan.h"

namespace fettle::interp {

// What a run needs besides the plan.
struct RunSettings {
  int64_t iteration_limit = 0;
  // Slots of the main graph that are observed, and what is called when one of them is filled; null
  // and empty when nobody watches.
  std::function<void(uint32_t slot, Slot& stored)> on_stored;
  std::unordered_set<uint32_t> watched_slots;
  bool watched(uint32_t slot) const { return watched_slots.contains(slot); }
};

// Values of one execution of one graph; `outer` is that of the enclosing graph, null for the main
// graph. Steps of subgraphs read captured values through it.
struct Frame {
  const GraphPlan* plan = nullptr;
  Frame* outer = nullptr;
  std::vector<Slot> slots;
};

// Executes the graph on its inputs, in the order of GraphPlan::inputs, and returns its outputs.
// Errors carry the node as context.
std::vector<ops::RuntimeValue> run_graph(const GraphPlan& plan, Frame* outer,
                                         std::vector<ops::RuntimeValue> inputs,
                                         const RunSettings& settings);

// Computes a member all of whose operands are constants.
std::vector<ops::RuntimeValue> run_constant_member(const Member& member);

}  // namespace fettle::interp
