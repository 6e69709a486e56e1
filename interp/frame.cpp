#include "interp/frame.h"

#include <chrono>
#include <new>

#include "ir/error.h"

namespace fettle::interp {
namespace {

std::vector<const ops::RuntimeValue*> values_of(const std::vector<Operand>& operands) {
  std::vector<const ops::RuntimeValue*> values;
  values.reserve(operands.size());
  for (const Operand& operand : operands) values.push_back(operand.value());
  return values;
}

// Runs the bodies of one control-flow node.
class BodyRunner : public ops::SubgraphRunner {
 public:
  BodyRunner(const Member& member, const RunSettings& settings) : member_(member) {
    settings_.iteration_limit = settings.iteration_limit;
    settings_.trace = settings.trace;
  }

  std::vector<ops::RuntimeValue> run(const ir::Graph& body,
                                     std::vector<ops::RuntimeValue> inputs) override {
    if (++runs_ > settings_.iteration_limit) {
      fail(ErrorCode::kLimit, "more than {} iterations; raise the iteration limit if this is meant",
           settings_.iteration_limit);
    }
    for (const auto& [graph, plan] : member_.bodies) {
      if (graph == &body) return run_graph(*plan, std::move(inputs), settings_);
    }
    FETTLE_ASSERT(false && "a kernel ran a graph that its node does not own");
    return {};
  }
  int64_t iteration_limit() const override { return settings_.iteration_limit; }

 private:
  const Member& member_;
  RunSettings settings_;
  int64_t runs_ = 0;
};

bool run_kernel(AcceleratedKernel& kernel, Call& call) {
  if (!kernel.run(call)) return false;
  call.drop_omitted();
  return true;
}

// True when the accelerated kernel computed it.
bool run_member(const Member& member, GraphPlan& plan, const RunSettings& settings) {
  if (member.kernel != nullptr && run_kernel(*member.kernel, *member.call)) return true;
  BodyRunner runner(member, settings);
  ops::KernelContext context(*member.node, member.opset, values_of(member.inputs),
                             member.bodies.empty() ? nullptr : &runner);
  member.op->kernel(context);
  for (size_t i = 0; i < member.outputs.size(); ++i) {
    if (member.outputs[i] == kNoSlot) continue;
    plan.slots[member.outputs[i]] = Slot{std::move(context.outputs()[i]), nullptr};
  }
  return false;
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

// What computed the step: its kernel, null for reference kernels.
const AcceleratedKernel* run_step(const Step& step, GraphPlan& plan, const RunSettings& settings) {
  if (step.kernel != nullptr) {
    bool done = false;
    with_context(*step.members.back().node, [&] { done = run_kernel(*step.kernel, *step.call); });
    if (done) return step.kernel.get();
    FETTLE_ASSERT(step.literal);
  }
  const AcceleratedKernel* last = nullptr;
  for (const Member& member : step.members) {
    with_context(*member.node, [&] {
      last = run_member(member, plan, settings) ? member.kernel.get() : nullptr;
    });
  }
  return last;
}

double now_us() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double, std::micro>(Clock::now().time_since_epoch()).count();
}

std::string layout_name(const Slot& slot) {
  if (slot.blocked == nullptr) return slot.value.is_tensor() ? "plain" : "";
  const auto layout = channel_layout(*slot.blocked);
  if (!layout) return "other";
  if (layout->groups == 1 && layout->block == layout->channels) return "channels-last";
  return fmt::format("channels/{}", layout->block);
}

int64_t bytes_of(const Slot& slot) {
  if (slot.widened != nullptr) return bytes_of(slot.widened->numbers);
  if (slot.blocked != nullptr) return static_cast<int64_t>(slot.blocked->desc.get_size());
  return slot.value.is_tensor() ? static_cast<int64_t>(slot.value.tensor.byte_size()) : 0;
}

void describe_output(const Slot& slot, StepRecord& record) {
  if (slot.widened != nullptr) return describe_output(slot.widened->numbers, record);
  record.bytes += bytes_of(slot);
  if (!record.layout.empty()) return;
  record.layout = layout_name(slot);
  if (slot.blocked != nullptr)
    record.shape = ir::to_string(slot.blocked->dims());
  else if (slot.value.is_tensor())
    record.shape = ir::to_string(slot.value.tensor.dims());
}

// Runs the step and records it.
void run_traced(const Step& step, GraphPlan& plan, const RunSettings& settings) {
  Trace& trace = *settings.trace;
  const double start = now_us();
  ++trace.depth;
  const AcceleratedKernel* kernel = run_step(step, plan, settings);
  --trace.depth;
  StepRecord record;
  record.start_us = start - trace.origin_us;
  record.duration_us = now_us() - start;
  record.depth = trace.depth;
  record.kernel = kernel == nullptr ? "reference" : kernel->describe();
  record.op = step.operators;
  record.node = step.members.back().node->name;
  for (const uint32_t slot : step.members.back().outputs) {
    if (slot != kNoSlot) describe_output(plan.slots[slot], record);
  }
  trace.steps.push_back(std::move(record));
}

// Shows the operands whose ranges the step notes; they are as they were where it did not.
void report_operands(const Step& step, GraphPlan& plan, const RunSettings& settings) {
  for (const NotedOperand& each : step.noted_operands) {
    const auto& noted = step.notes->operands;
    if (each.operand < noted.size() && noted[each.operand]) {
      settings.on_range(*each.name, *noted[each.operand]);
    } else {
      settings.on_stored(*each.name, plan.slots[each.slot]);
    }
  }
}

void report(const Step& step, GraphPlan& plan, const RunSettings& settings) {
  if (step.notes != nullptr) report_operands(step, plan, settings);
  const uint32_t noted = step.notes != nullptr && step.notes->output
                             ? step.members.back().outputs[0]
                             : kNoSlot;
  for (const Member& member : step.members) {
    for (const uint32_t slot : member.outputs) {
      if (slot == kNoSlot || plan.watched[slot] == nullptr) continue;
      Slot& stored = plan.slots[slot];
      if (slot == noted) {
        settings.on_range(*plan.watched[slot], *step.notes->output);
        continue;
      }
      if (stored.widened != nullptr) stored.plain();
      settings.on_stored(*plan.watched[slot], stored);
    }
  }
}

// Empties the slots when an execution ends, whatever ends it.
class Emptied {
 public:
  explicit Emptied(GraphPlan& plan) : plan_(plan) {}
  ~Emptied() {
    for (Slot& slot : plan_.slots) slot.clear();
  }
  Emptied(const Emptied&) = delete;
  Emptied& operator=(const Emptied&) = delete;

 private:
  GraphPlan& plan_;
};

}  // namespace

std::vector<ops::RuntimeValue> run_graph(GraphPlan& plan, std::vector<ops::RuntimeValue> inputs,
                                         const RunSettings& settings) {
  if (inputs.size() != plan.inputs.size()) {
    fail(ErrorCode::kBadInput, "graph '{}' takes {} inputs, found {}", plan.graph->name,
         plan.inputs.size(), inputs.size());
  }
  const Emptied emptied(plan);
  const bool watches = !plan.watched.empty() && settings.on_stored;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const uint32_t slot = plan.inputs[i];
    plan.slots[slot].value = std::move(inputs[i]);
    if (watches && plan.watched[slot] != nullptr) {
      settings.on_stored(*plan.watched[slot], plan.slots[slot]);
    }
  }
  inputs.clear();
  for (const Step& step : plan.steps) {
    if (step.notes != nullptr) {
      step.notes->operands.clear();
      step.notes->output.reset();
    }
    if (settings.trace != nullptr) {
      run_traced(step, plan, settings);
    } else {
      run_step(step, plan, settings);
    }
    if (watches) report(step, plan, settings);
    for (const uint32_t slot : step.releases) plan.slots[slot].clear();
  }
  std::vector<ops::RuntimeValue> outputs;
  outputs.reserve(plan.outputs.size());
  for (const Operand& operand : plan.outputs) outputs.push_back(*operand.value());
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
