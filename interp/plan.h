// A graph compiled for repeated execution: steps in topological order over dense slots.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
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

// Where an operand comes from: nowhere (omitted), a constant, or a slot of a frame `up` levels
// outward from the graph that holds the step.
struct Operand {
  const ops::RuntimeValue* constant = nullptr;
  uint32_t up = 0;
  uint32_t slot = kNoSlot;
  bool present() const { return constant != nullptr || slot != kNoSlot; }
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
};

// One or more nodes computed together. `kernel`, when there is one, computes the last member's
// outputs from `inputs` in one go; where it declines (or is absent) the members are computed one by
// one, unless the step is not `literal`, whose kernel never declines.
struct Step {
  std::vector<Member> members;
  bool literal = true;
  std::unique_ptr<AcceleratedKernel> kernel;
  std::vector<Operand> inputs;     // of `kernel`
  std::vector<bool> last_use;      // per operand of `kernel`, as in Member
  std::vector<uint32_t> releases;  // slots of this graph that nothing reads after this step
};

struct GraphPlan {
  const ir::Graph* graph = nullptr;
  size_t slot_count = 0;
  std::vector<uint32_t> inputs;
  std::vector<Operand> outputs;
  std::vector<Step> steps;
};

// Values of the main graph that a caller wants to see.
struct Watch {
  uint32_t slot = kNoSlot;  // set unless constant
  const ops::RuntimeValue* constant = nullptr;
  std::string name;
};

struct Plan {
  GraphPlan main;
  std::deque<ops::RuntimeValue> constants;  // stable addresses
  // Main-graph inputs by position: the initializer that stands in when the input is not fed.
  std::vector<const ops::RuntimeValue*> defaults;
  std::vector<Watch> watches;
};

struct PlanOptions {
  bool exact = false;             // no accelerated kernels, no fusion, no precomputation
  std::set<std::string> watched;  // names of main-graph values to be observed
  // Main-graph inputs with an initializer that callers do feed; all others are taken as constant.
  std::set<std::string> overridden;
};

// Compiles the main graph and everything below it. `model` must be free of calls to model-local
// functions and must outlive the plan. Throws kUnsupported naming the first node without a kernel.
std::unique_ptr<Plan> make_plan(const ir::Model& model, const PlanOptions& options);

}  // namespace fettle::interp
