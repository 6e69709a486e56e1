// Data movement between DequantizeLinear and QuantizeLinear of equal parameters runs on the bytes:
//
//   xq -- DQ -- Reshape, Transpose, Resize, ... -- Q -- yq     =>     xq -- Reshape, ... -- yq
//
// The result is identical: Q(DQ(v)) = v.
// Conditions: one constant scale and an explicit zero point, equal on both sides; nothing else
// reads what lies between.
#include "interp/fusion.h"
#include "interp/on_bytes.h"
#include "interp/qdq_pattern.h"

namespace fettle::interp {
namespace {

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
  if (!x || !y || y->members.size() != 1 || !same_parameters(*x, *y)) return std::nullopt;
  Fusion fusion;
  fusion.kernel = on_bytes(node, view);
  if (fusion.kernel == nullptr) return std::nullopt;
  fusion.members = {&node, y->members[0]};
  fusion.inputs.assign(node.inputs().begin(), node.inputs().end());
  fusion.inputs[0] = x->quantized;
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
