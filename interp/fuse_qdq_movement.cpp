// Data movement between DequantizeLinear and QuantizeLinear of equal parameters runs on the bytes:
//
//   xq -- DQ -- Reshape, Transpose, Resize, ... -- Q -- yq     =>     xq -- Reshape, ... -- yq
//
// The result is identical: Q(DQ(v)) = v.
// Conditions: one constant scale and an explicit zero point, equal on both sides; nothing else
// reads what lies between.
#include "interp/fusion.h"
#include "interp/pooling.h"
#include "interp/qdq_pattern.h"
#include "ir/error.h"
#include "ops/table.h"

namespace fettle::interp {
namespace {

// The node on a quantized first operand: its accelerated kernel when there is one that takes bytes,
// else the reference kernel.
class OnBytes : public AcceleratedKernel {
 public:
  OnBytes(const NodeFacts& facts, const ops::OpDef& op)
      : node_(*facts.node), op_(op), opset_(facts.opset), fast_(make_accelerated(facts)) {}

  bool run(Call& call) override {
    if (fast_ != nullptr && fast_->run(call)) return true;
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
  std::unique_ptr<AcceleratedKernel> fast_;
};

// Resize may interpolate, and Pad may write a number of its own.
bool moves_only(const ir::Node& node) {
  if (node.is("Resize")) {
    return node.attr_string("mode", "nearest") == "nearest" &&
           node.attr_string("coordinate_transformation_mode", "") != "tf_crop_and_resize";
  }
  return !node.is("Pad") || node.attr_string("mode", "constant") != "constant";
}

}  // namespace

std::optional<Fusion> fuse_qdq_movement(const ir::Node& node, const FusionView& view) {
  if (node.outputs().size() != 1 || !moves_only(node)) return std::nullopt;
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
  NodeFacts facts{&node, view.opset(node), {}};
  for (const ir::Value* input : node.inputs()) facts.constants.push_back(view.constant(input));
  fusion.kernel = std::make_unique<OnBytes>(facts, *op);
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
