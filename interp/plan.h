// A graph compiled for repeated execution: steps in topological order, bound to the slots that hold
// their operands.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "interp/accelerated.h"
#include "ir/model.h"
#include "ops/runtime_value.h"
#include "ops/table.h"

namespace fettle::interp {

inline constexpr uint32_t kNoSlot = UINT32_MAX;

// Where an operand comes from: nowhere (omitted), a constant, or a slot, which belongs to a graph
// `up` levels outward from the one that holds the step.
struct Operand {
  const ops::RuntimeValue* constant = nullptr;
  uint32_t up = 0;
  uint32_t slot = kNoSlot;
  Slot* at = nullptr;

  const ops::RuntimeValue* value() const {
    return constant != nullptr ? constant : at != nullptr ? &at->plain() : nullptr;
  }
};

struct GraphPlan;

// One node with its reference kernel and, where there is one, the kernel that replaces it.
struct Member {
  const ir::Node* node = nullptr;
  const ops::OpDef* op = nullptr;
  int64_t opset = 0;
  std::vector<Operand> inputs;
  std::vector<bool> last_use;     // per operand: nothing reads its slot after this step
  std::vector<uint32_t> outputs;  // slots; kNoSlot where the node omits the output
  std::vector<std::pair<const ir::Graph*, std::unique_ptr<GraphPlan>>> bodies;
  std::unique_ptr<AcceleratedKernel> kernel;
  std::unique_ptr<Call> call;  // of `kernel`
};

// An operand whose range its reader notes, so that it is shown after that step.
struct NotedOperand {
  size_t operand = 0;  // of the step's kernel
  uint32_t slot = kNoSlot;
  const std::string* name = nullptr;
};

// One or more nodes computed together. `kernel`, when there is one, computes the last member's
// outputs from `inputs` in one go; where it declines (or is absent) the members are computed one by
// one, unless the step is not `literal`, whose kernel never declines.
struct Step {
  std::string operators;  // types of the nodes, joined by +
  std::vector<Member> members;
  bool literal = true;
  std::unique_ptr<AcceleratedKernel> kernel;
  std::vector<Operand> inputs;     // of `kernel`
  std::vector<bool> last_use;      // per operand of `kernel`, as in Member
  std::unique_ptr<Call> call;      // of `kernel`
  // What the kernel notes for observers of its operands and output; null where it notes nothing.
  std::unique_ptr<RangeNotes> notes;
  std::vector<NotedOperand> noted_operands;
  std::vector<uint32_t> releases;  // slots of this graph that nothing reads after this step
};

// A graph and the values of its execution under way: no graph runs within itself, so that there is
// never more than one. All slots are empty between executions.
struct GraphPlan {
  const ir::Graph* graph = nullptr;
  std::deque<Slot> slots;
  // By slot: the name under which a caller wants to see it, else null. Empty when nobody watches.
  std::vector<const std::string*> watched;
  std::vector<uint32_t> inputs;
  std::vector<Operand> outputs;
  std::vector<Step> steps;
};

// A constant of the main graph that a caller wants to see.
struct WatchedConstant {
  const ops::RuntimeValue* value = nullptr;
  std::string name;
};

struct Plan {
  GraphPlan main;
  std::deque<ops::RuntimeValue> constants;  // stable addresses
  // Main-graph inputs by position: the initializer that stands in when the input is not fed.
  std::vector<const ops::RuntimeValue*> defaults;
  std::vector<WatchedConstant> watched_constants;
  std::set<std::string> watched;  // names that the slots of `main` point to
};

struct PlanOptions {
  bool exact = false;             // no accelerated kernels, no fusion, no precomputation
  std::set<std::string> watched;  // names of main-graph values to be observed
  bool ranges = false;            // nothing but their ranges
  // Main-graph inputs with an initializer that callers do feed; all others are taken as constant.
  std::set<std::string> overridden;
  // Types of the main-graph inputs, in order, when the plan is for these shapes only: what follows
  // from them is then computed while planning.
  std::optional<std::vector<ir::Type>> inputs;
};

// Throws kUnsupported naming the first node whose operator has no kernel.
void check_operators(const ir::Model& model);

// Compiles the main graph and everything below it. `model` must be free of calls to model-local
// functions and must outlive the plan. Throws as check_operators() does.
std::unique_ptr<Plan> make_plan(const ir::Model& model, const PlanOptions& options);

}  // namespace fettle::interp
