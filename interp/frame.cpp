#include "interp/frame.h"

#include <new>

#include "ir/error.h"

namespace fettle::interp {
namespace {

Slot* find_slot(const Operand& operand, Frame& frame) {
  if (operand.slot == kNoSlot) return nullptr;
  Frame* owner = &frame;
  for (uint32_t i = 0; i < operand.up; ++i) owner = owner->outer;
  return &owner->slots[operand.slot];
}

const ops::RuntimeValue* look_up(const Operand& operand, Frame& frame) {
  if (operand.constant != nullptr) return operand.constant;
  Slot* slot = find_slot(operand, frame);
  return slot == nullptr ? nullptr : &slot->plain();
}

std::vector<const ops::RuntimeValue*> look_up(const std::vector<Operand>& operands, Frame& frame) {
  std::vector<const ops::RuntimeValue*> values;
  values.reserve(operands.size());
  for (const Operand& operand : operands) values.push_back(look_up(operand, frame));
  return values;
}

// Runs the bodies of one control-flow node within the frame of the node.
class BodyRunner : public ops::SubgraphRunner {
 public:
  BodyRunner(const Member& member, Frame& frame, const RunSettings& settings)
      : member_(member), frame_(frame), iteration_limit_(settings.iteration_limit) {
    settings_.iteration_limit = iteration_limit_;
  }

  std::vector<ops::RuntimeValue> run(const ir::Graph& body,
                                     std::vector<ops::RuntimeValue> inputs) override {
    if (++runs_ > iteration_limit_) {
      fail(ErrorCode::kLimit, "more than {} iterations; raise the iteration limit if this is meant",
           iteration_limit_);
    }
    for (const auto& [graph, plan] : member_.bodies) {
      if (graph == &body) return run_graph(*plan, &frame_, std::move(inputs), settings_);
    }
    FETTLE_ASSERT(false && "a kernel ran a graph that its node does not own");
    return {};
  }
  int64_t iteration_limit() const override { return iteration_limit_; }

 private:
  const Member& member_;
  Frame& frame_;
  RunSettings settings_;
  int64_t iteration_limit_;
  int64_t runs_ = 0;
};

bool run_kernel(AcceleratedKernel& kernel, const std::vector<Operand>& operands,
                const std::vector<bool>& last_use, const std::vector<uint32_t>& outputs,
                Frame& frame) {
  std::vector<Call::Input> inputs;
  inputs.reserve(operands.size());
  for (size_t i = 0; i < operands.size(); ++i) {
    inputs.push_back({operands[i].constant, find_slot(operands[i], frame), last_use[i]});
  }
  Call call(std::move(inputs), outputs.size());
  if (!kernel.run(call)) return false;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == kNoSlot) continue;
    Call::Output& output = call.outputs()[i];
    frame.slots[outputs[i]] = Slot{std::move(output.value), std::move(output.blocked)};
  }
  return true;
}

void run_member(const Member& member, Frame& frame, const RunSettings& settings) {
  if (member.kernel != nullptr &&
      run_kernel(*member.kernel, member.inputs, member.last_use, member.outputs, frame)) {
    return;
  }
  BodyRunner runner(member, frame, settings);
  ops::KernelContext context(*member.node, member.opset, look_up(member.inputs, frame),
                             member.bodies.empty() ? nullptr : &runner);
  member.op->kernel(context);
  for (size_t i = 0; i < member.outputs.size(); ++i) {
    if (member.outputs[i] == kNoSlot) continue;
    frame.slots[member.outputs[i]] = Slot{std::move(context.outputs()[i]), nullptr};
  }
}

// Runs `work` so that what it throws names `node`.
template <typename Work>
void with_context(const ir::Node& node, Work&& work) {
  try {
    work();
  } catch (Error& error) {
    error.add_context(node.describe());
    throw;
  } catch (const std::bad_alloc&) {
    Error error(ErrorCode::kLimit, "not enough memory");
    error.add_context(node.describe());
    throw error;
  } catch (const dnnl::error& cause) {
    Error error(ErrorCode::kInternal, fmt::format("oneDNN: {}", cause.what()));
    error.add_context(node.describe());
    throw error;
  }
}

void run_step(const Step& step, Frame& frame, const RunSettings& settings) {
  if (step.kernel != nullptr) {
    const Member& last = step.members.back();
    bool done = false;
    with_context(*last.node, [&] {
      done = run_kernel(*step.kernel, step.inputs, step.last_use, last.outputs, frame);
    });
    if (done) return;
    FETTLE_ASSERT(step.literal);
  }
  for (const Member& member : step.members) {
    with_context(*member.node, [&] { run_member(member, frame, settings); });
  }
}

void report(const Step& step, Frame& frame, const RunSettings& settings) {
  for (const Member& member : step.members) {
    for (const uint32_t slot : member.outputs) {
      if (slot != kNoSlot && settings.watched(slot)) settings.on_stored(slot, frame.slots[slot]);
    }
  }
}

}  // namespace

std::vector<ops::RuntimeValue> run_graph(const GraphPlan& plan, Frame* outer,
                                         std::vector<ops::RuntimeValue> inputs,
                                         const RunSettings& settings) {
  if (inputs.size() != plan.inputs.size()) {
    fail(ErrorCode::kBadInput, "graph '{}' takes {} inputs, found {}", plan.graph->name,
         plan.inputs.size(), inputs.size());
  }
  Frame frame{&plan, outer, std::vector<Slot>(plan.slot_count)};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const uint32_t slot = plan.inputs[i];
    frame.slots[slot].value = std::move(inputs[i]);
    if (settings.watched(slot)) settings.on_stored(slot, frame.slots[slot]);
  }
  inputs.clear();
  for (const Step& step : plan.steps) {
    run_step(step, frame, settings);
    if (settings.on_stored) report(step, frame, settings);
    for (const uint32_t slot : step.releases) frame.slots[slot] = Slot();
  }
  std::vector<ops::RuntimeValue> outputs;
  outputs.reserve(plan.outputs.size());
  for (const Operand& operand : plan.outputs) outputs.push_back(*look_up(operand, frame));
  return outputs;
}

std::vector<ops::RuntimeValue> run_constant_member(const Member& member) {
  std::vector<const ops::RuntimeValue*> inputs;
  for (const Operand& operand : member.inputs) inputs.push_back(operand.constant);
  ops::KernelContext context(*member.node, member.opset, std::move(inputs), nullptr);
  member.op->kernel(context);
  return std::move(context.outputs());
}

}  // namespace fettle::interp
