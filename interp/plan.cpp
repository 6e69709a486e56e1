#include "interp/plan.h"

#include <algorithm>
#include <unordered_map>

#include "interp/frame.h"
#include "interp/graph_fusions.h"
#include "interp/shape_facts.h"
#include "ir/error.h"

namespace fettle::interp {
namespace {

// What the planner knows while it walks one graph.
struct Scope {
  GraphPlan* plan = nullptr;
  std::unordered_map<const ir::Value*, uint32_t> slots;
  std::vector<int64_t> last_use;  // by slot: index of the last step that reads it; -1 none
  std::vector<bool> kept;         // by slot: a graph output
};

// Steps whose kernels can do so note the ranges of watched operands and outputs, an operand in the
// first such step that reads it.
void note_in_passing(GraphPlan& plan) {
  for (Step& step : plan.steps) {
    // A member that stands in for the step's kernel may overwrite an operand when it is alone.
    const bool overwrites = step.literal && step.members.size() == 1;
    if (step.kernel == nullptr || overwrites) continue;
    auto notes = std::make_unique<RangeNotes>();
    notes->wanted.resize(step.inputs.size());
    std::vector<NotedOperand> operands;
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      const Operand& operand = step.inputs[i];
      const bool own = operand.constant == nullptr && operand.slot != kNoSlot && operand.up == 0;
      if (!own || plan.watched[operand.slot] == nullptr) continue;
      operands.push_back({i, operand.slot, plan.watched[operand.slot]});
    }
    for (const NotedOperand& each : operands) notes->wanted[each.operand] = true;
    const uint32_t output = step.members.back().outputs[0];
    notes->output_wanted = output != kNoSlot && plan.watched[output] != nullptr;
    if (operands.empty() && !notes->output_wanted) continue;
    if (!step.kernel->note_ranges(notes.get())) continue;
    for (const NotedOperand& each : operands) plan.watched[each.slot] = nullptr;
    step.notes = std::move(notes);
    step.noted_operands = std::move(operands);
  }
}

class Planner {
 public:
  Planner(const ir::Model& model, const PlanOptions& options)
      : model_(model),
        options_(options),
        plan_(std::make_unique<Plan>()),
        shapes_([this](const ir::Value& value) { return constant_tensor(value); }) {}

  std::unique_ptr<Plan> run() {
    const ir::Graph& graph = *model_.graph;
    for (size_t i = 0; options_.inputs && i < graph.inputs().size(); ++i) {
      const ir::Value& input = *graph.inputs()[i];
      if (constant_of(input) == nullptr) shapes_.set_type(input, (*options_.inputs)[i]);
    }
    plan_graph(graph, plan_->main);
    for (const ir::Value* input : graph.inputs()) {
      plan_->defaults.push_back(input->has_initializer() ? default_of(*input) : nullptr);
    }
    for (const std::string& name : options_.watched) add_watch(name);
    if (options_.ranges && !plan_->main.watched.empty()) note_in_passing(plan_->main);
    return std::move(plan_);
  }

 private:
  void plan_graph(const ir::Graph& graph, GraphPlan& out);
  void add_step(const ir::Node& node, Fusion* fusion, GraphPlan& out);
  void choose_kernel(Member& member);
  Member make_member(const ir::Node& node);
  bool precompute(const ir::Node& node, bool after_fusion);
  bool follows_from_shapes(const ir::Node& node);
  Operand resolve(const ir::Value* value);
  const ops::RuntimeValue* default_of(const ir::Value& input) {
    const ops::RuntimeValue* constant = constant_of(input);
    return constant != nullptr ? constant : bind_initializer(input);
  }
  const ops::RuntimeValue* constant_of(const ir::Value& value);
  const ir::Tensor* constant_tensor(const ir::Value& value);
  const ops::RuntimeValue* bind_initializer(const ir::Value& value);
  uint32_t new_slot(const ir::Value& value);
  void add_watch(const std::string& name);
  static void set_releases(const Scope& scope, GraphPlan& out);

  const ir::Model& model_;
  const PlanOptions& options_;
  std::unique_ptr<Plan> plan_;
  std::vector<Scope> scopes_;  // outermost first
  std::unordered_map<const ir::Value*, const ops::RuntimeValue*> constants_;
  Scope main_scope_;
  ShapeFacts shapes_;
};

const ops::RuntimeValue* Planner::bind_initializer(const ir::Value& value) {
  plan_->constants.emplace_back(value.sparse() != nullptr ? ir::densify(*value.sparse())
                                                          : *value.constant());
  return &plan_->constants.back();
}

// The value's contents when it is an initializer that no caller overrides, or was computed while
// planning; else null.
const ops::RuntimeValue* Planner::constant_of(const ir::Value& value) {
  const auto known = constants_.find(&value);
  if (known != constants_.end()) return known->second;
  if (!value.has_initializer()) return nullptr;
  if (value.is_input() && options_.overridden.contains(value.name())) return nullptr;
  const ops::RuntimeValue* bound = bind_initializer(value);
  constants_.emplace(&value, bound);
  return bound;
}

const ir::Tensor* Planner::constant_tensor(const ir::Value& value) {
  const ops::RuntimeValue* constant = constant_of(value);
  return constant != nullptr && constant->is_tensor() ? &constant->tensor : nullptr;
}

uint32_t Planner::new_slot(const ir::Value& value) {
  Scope& scope = scopes_.back();
  const auto slot = static_cast<uint32_t>(scope.plan->slots.size());
  scope.plan->slots.emplace_back();
  scope.slots.emplace(&value, slot);
  scope.last_use.push_back(-1);
  scope.kept.push_back(false);
  return slot;
}

// Finds the operand and marks it as read by the current step of the graph that owns it.
Operand Planner::resolve(const ir::Value* value) {
  if (value == nullptr) return {};
  if (const ops::RuntimeValue* constant = constant_of(*value))
    return Operand{constant, 0, kNoSlot, nullptr};
  for (size_t i = scopes_.size(); i-- > 0;) {
    Scope& scope = scopes_[i];
    const auto found = scope.slots.find(value);
    if (found == scope.slots.end()) continue;
    scope.last_use[found->second] = static_cast<int64_t>(scope.plan->steps.size());
    return Operand{nullptr, static_cast<uint32_t>(scopes_.size() - 1 - i), found->second,
                   &scope.plan->slots[found->second]};
  }
  fail(ErrorCode::kBadInput,
       "value '{}' is read before any node produces it; sort the graph's nodes", value->name());
}

// The node with its operator, without operands.
Member bare_member(const ir::Model& model, const ir::Node& node) {
  Member member;
  member.node = &node;
  member.opset = model.opset(node.domain);
  member.op = ops::find_op(node, member.opset);
  if (member.op != nullptr && member.op->kernel != nullptr) return member;
  fail(ErrorCode::kUnsupported,
       "{}: fettle cannot compute operator {} of domain '{}' at opset {}; nothing that runs this "
       "model (calibration, comparison, evaluation) is possible",
       node.describe(), node.op_type, node.domain.empty() ? "ai.onnx" : node.domain, member.opset);
}

Member Planner::make_member(const ir::Node& node) {
  Member member = bare_member(model_, node);
  for (const ir::Value* input : node.inputs()) member.inputs.push_back(resolve(input));
  for (ir::Graph* body : node.subgraphs()) {
    member.bodies.emplace_back(body, std::make_unique<GraphPlan>());
    plan_graph(*body, *member.bodies.back().second);
  }
  return member;
}

// Computes a node whose operands are all constant while planning; in exact mode this is done for
// Constant nodes only. A node that fails stays in the plan: it may never be reached.
bool Planner::precompute(const ir::Node& node, bool after_fusion) {
  if (options_.exact && !node.is("Constant")) return false;
  const auto known = [&](const ir::Value* v) { return v == nullptr || constant_of(*v) != nullptr; };
  if (!std::all_of(node.inputs().begin(), node.inputs().end(), known)) return false;
  if (!node.subgraphs().empty()) return false;
  Member member = bare_member(model_, node);
  if (ops::has_fact(member.op, ops::kRandom)) return false;
  // Fusions look for the DequantizeLinear of weights; those left over are computed afterwards.
  if (node.is("DequantizeLinear") && !after_fusion) return false;
  for (const ir::Value* input : node.inputs()) {
    member.inputs.push_back(input == nullptr ? Operand{}
                                             : Operand{constant_of(*input), 0, kNoSlot, nullptr});
  }
  std::vector<ops::RuntimeValue> outputs;
  try {
    outputs = run_constant_member(member);
  } catch (const Error&) {
    return false;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const ir::Value* value = node.output(i);
    if (value == nullptr) continue;
    plan_->constants.push_back(std::move(outputs[i]));
    constants_.emplace(value, &plan_->constants.back());
  }
  return true;
}

// Learns the types of the node's outputs from those of its operands. True when that gives all their
// contents too, so that the node need not run.
bool Planner::follows_from_shapes(const ir::Node& node) {
  if (!options_.inputs || options_.exact) return false;
  const int64_t opset = model_.opset(node.domain);
  std::vector<std::optional<ir::Tensor>> contents =
      shapes_.infer(node, ops::find_op(node, opset), opset);
  for (size_t i = 0; i < contents.size(); ++i) {
    if (node.output(i) != nullptr && !contents[i]) return false;
  }
  for (size_t i = 0; i < contents.size(); ++i) {
    if (node.output(i) == nullptr) continue;
    plan_->constants.emplace_back(std::move(*contents[i]));
    constants_.emplace(node.output(i), &plan_->constants.back());
  }
  return true;
}

void Planner::choose_kernel(Member& member) {
  NodeFacts facts{member.node, member.opset, {}};
  for (const Operand& input : member.inputs) {
    const bool tensor = input.constant != nullptr && input.constant->is_tensor();
    facts.constants.push_back(tensor ? &input.constant->tensor : nullptr);
  }
  member.kernel = make_accelerated(facts);
}

void Planner::add_step(const ir::Node& node, Fusion* fusion, GraphPlan& out) {
  Step step;
  std::vector<const ir::Node*> nodes{&node};
  step.operators = node.op_type;
  if (fusion != nullptr) {
    step.operators.clear();
    for (const ir::Node* member : fusion->members) {
      step.operators += (step.operators.empty() ? "" : "+") + member->op_type;
    }
    for (const ir::Value* input : fusion->inputs) step.inputs.push_back(resolve(input));
    if (fusion->may_decline) nodes = fusion->members;
    step.kernel = std::move(fusion->kernel);
    step.literal = fusion->may_decline;
  }
  for (const ir::Node* each : nodes) {
    // Operands of a step that is never computed node by node need not exist.
    step.members.push_back(step.literal ? make_member(*each) : bare_member(model_, *each));
    Member& member = step.members.back();
    for (const ir::Value* output : each->outputs()) {
      member.outputs.push_back(output == nullptr ? kNoSlot : new_slot(*output));
    }
    if (!options_.exact && step.literal) choose_kernel(member);
  }
  out.steps.push_back(std::move(step));
}

void set_last_uses(const std::vector<uint32_t>& releases, const std::vector<Operand>& operands,
                   std::vector<bool>& last_use) {
  for (const Operand& operand : operands) {
    const bool own = operand.slot != kNoSlot && operand.up == 0;
    last_use.push_back(own &&
                       std::find(releases.begin(), releases.end(), operand.slot) != releases.end());
  }
}

void Planner::set_releases(const Scope& scope, GraphPlan& out) {
  std::vector<int64_t> last = scope.last_use;
  for (size_t s = 0; s < out.steps.size(); ++s) {
    for (const Member& member : out.steps[s].members) {
      for (const uint32_t slot : member.outputs) {
        if (slot != kNoSlot) last[slot] = std::max(last[slot], static_cast<int64_t>(s));
      }
    }
  }
  for (uint32_t slot = 0; slot < out.slots.size(); ++slot) {
    if (last[slot] < 0 || scope.kept[slot]) continue;
    out.steps[static_cast<size_t>(last[slot])].releases.push_back(slot);
  }
  for (Step& step : out.steps) {
    set_last_uses(step.releases, step.inputs, step.last_use);
    // Members of a fused step may share operands, so none of them may overwrite one.
    const std::vector<uint32_t> none;
    for (Member& member : step.members) {
      set_last_uses(step.members.size() == 1 ? step.releases : none, member.inputs,
                    member.last_use);
    }
  }
}

std::unique_ptr<Call> bind_call(const std::vector<Operand>& operands,
                                const std::vector<bool>& last_use,
                                const std::vector<uint32_t>& outputs, GraphPlan& plan) {
  std::vector<Call::Input> inputs;
  for (size_t i = 0; i < operands.size(); ++i) {
    inputs.push_back({operands[i].constant, operands[i].at, last_use[i]});
  }
  std::vector<Slot*> slots;
  for (const uint32_t slot : outputs) {
    slots.push_back(slot == kNoSlot ? nullptr : &plan.slots[slot]);
  }
  return std::make_unique<Call>(std::move(inputs), std::move(slots));
}

void bind_calls(GraphPlan& plan) {
  for (Step& step : plan.steps) {
    if (step.kernel != nullptr) {
      step.call = bind_call(step.inputs, step.last_use, step.members.back().outputs, plan);
    }
    for (Member& member : step.members) {
      if (member.kernel == nullptr) continue;
      member.call = bind_call(member.inputs, member.last_use, member.outputs, plan);
    }
  }
}

void Planner::plan_graph(const ir::Graph& graph, GraphPlan& out) {
  out.graph = &graph;
  scopes_.emplace_back();
  scopes_.back().plan = &out;
  for (const ir::Value* input : graph.inputs()) out.inputs.push_back(new_slot(*input));
  std::unordered_set<const ir::Node*> computed;
  for (const ir::Node& node : graph.nodes()) {
    if (precompute(node, false) || follows_from_shapes(node)) computed.insert(&node);
  }
  static const std::set<std::string> kNothing;
  const bool main = scopes_.size() == 1;
  GraphFusions fusions(
      graph, main ? options_.watched : kNothing,
      [this](const ir::Value& value) { return constant_tensor(value); },
      [this](const ir::Node& node) { return model_.opset(node.domain); });
  if (!options_.exact) fusions.find();
  for (const ir::Node& node : graph.nodes()) {
    if (computed.contains(&node) || fusions.skipped(node)) continue;
    Fusion* fusion = fusions.at(node);
    if (fusion == nullptr && precompute(node, true)) continue;
    add_step(node, fusion, out);
  }
  for (const ir::Value* output : graph.outputs()) {
    out.outputs.push_back(resolve(output));
    const Operand& operand = out.outputs.back();
    if (operand.slot != kNoSlot && operand.up == 0) scopes_.back().kept[operand.slot] = true;
  }
  set_releases(scopes_.back(), out);
  bind_calls(out);
  if (main) main_scope_ = std::move(scopes_.back());
  scopes_.pop_back();
}

void Planner::add_watch(const std::string& name) {
  const ir::Value* value = model_.graph->find(name);
  if (value == nullptr) {
    fail(ErrorCode::kUsage, "the model's main graph has no value named '{}' to observe", name);
  }
  const std::string& held = *plan_->watched.insert(name).first;
  if (const ops::RuntimeValue* constant = constant_of(*value)) {
    plan_->watched_constants.push_back({constant, held});
    return;
  }
  const auto slot = main_scope_.slots.find(value);
  if (slot == main_scope_.slots.end()) {
    fail(ErrorCode::kUsage, "value '{}' is never computed and cannot be observed", name);
  }
  plan_->main.watched.resize(plan_->main.slots.size());
  plan_->main.watched[slot->second] = &held;
}

}  // namespace

void check_operators(const ir::Model& model) {
  ir::for_each_graph(*model.graph, [&](const ir::Graph& graph) {
    for (const ir::Node& node : graph.nodes()) bare_member(model, node);
  });
}

std::unique_ptr<Plan> make_plan(const ir::Model& model, const PlanOptions& options) {
  return Planner(model, options).run();
}

}  // namespace fettle::interp
