// Data movement between DequantizeLinear and QuantizeLinear of equal parameters runs on the bytes:
//
//   xq -- DQ -- Reshape, Transpose, MaxPool, ... -- Q -- yq     =>     xq -- Reshape, ... -- yq
//
// The result is identical: Q(DQ(v)) = v, and maxima keep their order under a positive scale.
// Conditions: one constant scale and an explicit zero point, equal on both sides; nothing else
// reads what lies between.
#include "interp/fusion.h"
#include "interp/pooling.h"
#include "interp/qdq_pattern.h"
#include "ir/error.h"
#include "ops/table.h"

namespace fettle::interp {
namespace {

// The reference kernel of a node on a quantized first operand.
class OnBytes : public AcceleratedKernel {
 public:
  OnBytes(const ir::Node& node, const ops::OpDef& op, int64_t opset)
      : node_(node), op_(op), opset_(opset) {}

  bool run(Call& call) override {
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
    call.set(0, std::move(context.outputs()[0].tensor));
    return true;
  }

 private:
  const ir::Node& node_;
  const ops::OpDef& op_;
  int64_t opset_;
};

}  // namespace

std::optional<Fusion> fuse_qdq_movement(const ir::Node& node, const FusionView& view) {
  if (node.outputs().size() != 1) return std::nullopt;
  const auto x = quantized_operand(node.input(0), view);
  const auto y = quantized_result(node.output(0), view);
  if (!x || !y || y->members.size() != 1 || x->scale != y->scale ||
      x->bytes.type != y->bytes.type || x->bytes.zero_point != y->bytes.zero_point) {
    return std::nullopt;
  }
  const ops::OpDef* op = ops::find_op(node, view.opset(node));
  if (op == nullptr || op->kernel == nullptr) return std::nullopt;
  Fusion fusion;
  fusion.members = {&node, y->members[0]};
  fusion.inputs.assign(node.inputs().begin(), node.inputs().end());
  fusion.inputs[0] = x->quantized;
  fusion.kernel = std::make_unique<OnBytes>(node, *op, view.opset(node));
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
