// Operators that do not change numbers, on quantized bytes.
#pragma once

#include <memory>
#include <vector>

#include "interp/fusion.h"
#include "interp/qdq_pattern.h"

namespace fettle::interp {

// True when both sides quantize alike, so that Q(DQ(v)) = v.
bool same_parameters(const QuantizedOperand& x, const QuantizedResult& y);

// The node with a quantized first operand, of which it makes output `output`: by `fast` when that
// takes the operands (null: the operator's accelerated kernel, if any), else by the reference
// kernel. Null for operators that fettle cannot compute.
std::unique_ptr<AcceleratedKernel> on_bytes(const ir::Node& node, const FusionView& view,
                                            std::unique_ptr<AcceleratedKernel> fast = nullptr,
                                            size_t output = 0);

// A run of nodes that only move or pick elements, with a pair of Q and DQ of the parameters of xq
// between each two and the same Q after the last:
//
//   xq -- DQ -- node -- Q -- DQ -- node -- Q -- yq
//
// Operands of the nodes besides the first are constant; nothing else reads what lies between.
class ByteRun {
 public:
  ByteRun(const QuantizedOperand& x, const FusionView& view) : x_(x), view_(view) {}

  // Adds a node; false when it cannot be part of a run.
  bool add(const ir::Node& node);
  // The node behind the last one and the pair after it; null when there is none.
  const ir::Node* next();
  // Ends the run with the Q after the last node; false when there is none or it differs.
  bool end();
  // The step that computes the whole run by `fast` where that takes the bytes, else node by
  // node.
  Fusion fusion(std::unique_ptr<AcceleratedKernel> fast) &&;

 private:
  const QuantizedOperand& x_;
  const FusionView& view_;
  std::vector<const ir::Node*> nodes_;
  std::vector<const ir::Node*> members_;  // nodes_ and what lies between, in topological order
};

}  // namespace fettle::interp
