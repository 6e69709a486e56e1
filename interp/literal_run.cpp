#include "interp/literal_run.h"

#include "ir/error.h"

namespace fettle::interp {
namespace {

class WithLiteralRun : public AcceleratedKernel {
 public:
  WithLiteralRun(std::unique_ptr<AcceleratedKernel> fast, LiteralRun literal)
      : fast_(std::move(fast)), literal_(std::move(literal)) {}

  bool run(Call& call) override {
    if (fast_->run(call)) return true;
    literal_.run(call);
    return true;
  }
  std::string describe() const override { return fast_->describe(); }

 private:
  std::unique_ptr<AcceleratedKernel> fast_;
  LiteralRun literal_;
};

}  // namespace

LiteralRun::LiteralRun(const std::vector<const ir::Node*>& nodes,
                       std::vector<const ir::Value*> inputs, const FusionView& view)
    : inputs_(std::move(inputs)) {
  for (const ir::Node* node : nodes) {
    NodeFacts facts{node, view.opset(*node), {}};
    for (const ir::Value* input : node->inputs()) {
      const ir::Tensor* constant = view.constant(input);
      facts.constants.push_back(constant);
      if (constant != nullptr) {
        constants_.emplace(input, std::make_unique<ops::RuntimeValue>(*constant));
      }
    }
    const ops::OpDef* op = ops::find_op(*node, facts.opset);
    if (op == nullptr || op->kernel == nullptr) {
      fail(ErrorCode::kUnsupported, "{}: fettle cannot compute this operator", node->describe());
    }
    nodes_.push_back({node, op, facts.opset, make_accelerated(facts)});
  }
}

void LiteralRun::run(Call& call) {
  std::unordered_map<const ir::Value*, Slot> values;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!constants_.contains(inputs_[i])) values[inputs_[i]].value = *call.value(i);
  }
  for (Each& each : nodes_) {
    try {
      compute(each, values);
    } catch (Error& error) {
      error.add_context(each.node->describe());
      throw;
    }
  }
  Slot& made = values.at(nodes_.back().node->output(0));
  call.set(0, made.plain().tensor);
}

void LiteralRun::compute(Each& each, std::unordered_map<const ir::Value*, Slot>& values) const {
  std::vector<Call::Input> inputs;
  for (const ir::Value* input : each.node->inputs()) {
    Call::Input operand;
    if (const auto constant = constants_.find(input); constant != constants_.end()) {
      operand.constant = constant->second.get();
    } else if (input != nullptr) {
      operand.slot = &values.at(input);
    }
    inputs.push_back(operand);
  }
  Call inner(std::move(inputs), each.node->outputs().size());
  if (each.kernel == nullptr || !each.kernel->run(inner)) {
    std::vector<const ops::RuntimeValue*> plain;
    for (size_t i = 0; i < inner.input_count(); ++i) plain.push_back(inner.value(i));
    ops::KernelContext context(*each.node, each.opset, std::move(plain), nullptr);
    each.op->kernel(context);
    for (size_t i = 0; i < each.node->outputs().size(); ++i) {
      inner.outputs()[i] = Slot{std::move(context.outputs()[i])};
    }
  }
  for (size_t i = 0; i < each.node->outputs().size(); ++i) {
    if (each.node->output(i) != nullptr) values[each.node->output(i)] = inner.outputs()[i];
  }
}

std::unique_ptr<AcceleratedKernel> with_literal_run(std::unique_ptr<AcceleratedKernel> fast,
                                                    LiteralRun literal) {
  return std::make_unique<WithLiteralRun>(std::move(fast), std::move(literal));
}

}  // namespace fettle::interp
