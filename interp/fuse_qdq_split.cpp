// A part of a quantized tensor that is quantized again with equal parameters is cut from the bytes:
//
//   xq -- DQ -- Split -+- Q -- aq                =>     xq -- part -- aq
//                      +- Q -- bq                       xq -- part -- bq
//
// The result is identical: Q(DQ(v)) = v. Conditions: one constant scale, equal on both sides; Q
// alone reads its part. The other parts may go elsewhere; Split is computed for these only.
#include <algorithm>

#include "interp/fusion.h"
#include "interp/on_bytes.h"
#include "interp/slice.h"

namespace fettle::interp {

std::optional<Fusion> fuse_qdq_split(const ir::Node& quantize, const FusionView& view) {
  const ir::Value* part = quantize.input(0);
  const ir::Node* split = part == nullptr ? nullptr : part->producer();
  if (split == nullptr || !split->is("Split")) return std::nullopt;
  const auto x = quantized_operand(split->input(0), view);
  const auto y = quantized_result(part, view);
  if (!x || !y || y->members.size() != 1 || !same_parameters(*x, *y)) return std::nullopt;
  const auto& parts = split->outputs();
  const auto output =
      static_cast<size_t>(std::find(parts.begin(), parts.end(), part) - parts.begin());
  Fusion fusion;
  fusion.kernel =
      on_bytes(*split, view, make_split_part(*split, view.opset(*split), output), output);
  if (fusion.kernel == nullptr) return std::nullopt;
  fusion.members = {&quantize};
  fusion.inputs.assign(split->inputs().begin(), split->inputs().end());
  fusion.inputs[0] = x->quantized;
  fusion.may_decline = false;
  return fusion;
}

}  // namespace fettle::interp
