#include "interp/on_bytes.h"

#include <algorithm>

#include "interp/literal_run.h"
#include "ir/error.h"
#include "ops/table.h"

namespace fettle::interp {
namespace {

class OnBytes : public AcceleratedKernel {
 public:
  OnBytes(const NodeFacts& facts, const ops::OpDef& op, std::unique_ptr<AcceleratedKernel> fast,
          size_t output)
      : node_(*facts.node), op_(op), opset_(facts.opset), fast_(std::move(fast)), output_(output) {}

  // Errors name the node: the step that it is part of is known by another.
  bool run(Call& call) override {
    try {
      compute(call);
    } catch (Error& error) {
      error.add_context(node_.describe());
      throw;
    }
    return true;
  }

 private:
  void compute(Call& call) {
    if (fast_ != nullptr && fast_->run(call)) return;
    std::vector<ops::RuntimeValue> values;
    std::vector<const ops::RuntimeValue*> inputs;
    for (size_t i = 0; i < node_.inputs().size(); ++i) {
      const ir::Tensor* tensor = call.tensor(i);
      values.push_back(tensor != nullptr ? ops::RuntimeValue(*tensor) : ops::RuntimeValue());
    }
    for (size_t i = 0; i < values.size(); ++i) {
      inputs.push_back(values[i].is_tensor() ? &values[i] : nullptr);
    }
    ops::KernelContext context(node_, opset_, std::move(inputs), nullptr);
    op_.kernel(context);
    call.set(0, std::move(context.outputs()[output_].tensor));
  }

  const ir::Node& node_;
  const ops::OpDef& op_;
  int64_t opset_;
  std::unique_ptr<AcceleratedKernel> fast_;
  size_t output_;
};

bool others_constant(const ir::Node& node, const FusionView& view) {
  return std::all_of(node.inputs().begin() + 1, node.inputs().end(), [&](const ir::Value* v) {
    return v == nullptr || view.constant(v) != nullptr;
  });
}

}  // namespace

bool same_parameters(const QuantizedOperand& x, const QuantizedResult& y) {
  return x.scale == y.scale && x.bytes.type == y.bytes.type &&
         x.bytes.zero_point == y.bytes.zero_point;
}

std::unique_ptr<AcceleratedKernel> on_bytes(const ir::Node& node, const FusionView& view,
                                            std::unique_ptr<AcceleratedKernel> fast,
                                            size_t output) {
  const ops::OpDef* op = ops::find_op(node, view.opset(node));
  if (op == nullptr || op->kernel == nullptr) return nullptr;
  NodeFacts facts{&node, view.opset(node), {}};
  for (const ir::Value* input : node.inputs()) facts.constants.push_back(view.constant(input));
  if (fast == nullptr) fast = make_accelerated(facts);
  return std::make_unique<OnBytes>(facts, *op, std::move(fast), output);
}

bool ByteRun::add(const ir::Node& node) {
  if (node.inputs().empty() || node.outputs().size() != 1 || !others_constant(node, view_) ||
      view_.taken(node)) {
    return false;
  }
  nodes_.push_back(&node);
  members_.push_back(&node);
  return true;
}

const ir::Node* ByteRun::next() {
  if (!end()) return nullptr;
  const ir::Node* dequantize = view_.sole_reader(members_.back()->output(0));
  if (dequantize == nullptr || view_.taken(*dequantize)) return nullptr;
  const auto operand = quantized_operand(dequantize->output(0), view_);
  if (!operand || operand->scale != x_.scale || operand->bytes.type != x_.bytes.type ||
      operand->bytes.zero_point != x_.bytes.zero_point) {
    return nullptr;
  }
  members_.push_back(dequantize);
  const ir::Node* node = view_.sole_reader(dequantize->output(0));
  return node != nullptr && node->input(0) == dequantize->output(0) ? node : nullptr;
}

bool ByteRun::end() {
  const auto y = quantized_result(nodes_.back()->output(0), view_);
  if (!y || y->members.size() != 1 || !same_parameters(x_, *y)) return false;
  members_.push_back(y->members[0]);
  return true;
}

Fusion ByteRun::fusion(std::unique_ptr<AcceleratedKernel> fast) && {
  std::vector<const ir::Node*> literal{nodes_.front()->input(0)->producer()};
  literal.insert(literal.end(), members_.begin(), members_.end());
  Fusion fusion;
  fusion.members = std::move(members_);
  fusion.inputs = {x_.quantized};
  fusion.kernel = with_literal_run(std::move(fast), LiteralRun(literal, fusion.inputs, view_));
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
