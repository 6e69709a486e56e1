// Which nodes of the main graph run on 8-bit integers, decided from the placement table alone: no
// numbers are computed here.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "calib/table.h"
#include "quant/names.h"
#include "quant/placement.h"

namespace fettle::quant {

// What was decided for one node.
struct NodeState {
  ir::Node* node = nullptr;
  const Placement* row = nullptr;
  bool quantized = false;  // kWeighted, kArithmetic: computes on integers; kMover: follows
  // The quantized node whose output this bias Add or clamp belongs to.
  NodeState* absorbed_into = nullptr;
  // Of a quantized node: the value after its bias and clamp, which its QuantizeLinear reads.
  ir::Value* tail = nullptr;
  // Of a quantized kWeighted node: the Add that is its bias, or null.
  ir::Node* bias_add = nullptr;
  ir::Node* clamp = nullptr;  // the Relu or Clip that its QuantizeLinear replaces, or null
  bool quantized_output = false;
  std::string reason;
};

struct Decisions {
  std::vector<NodeState> states;  // in graph order; never resized after construction
  std::unordered_map<const ir::Node*, NodeState*> of;
  // Values that get a QuantizeLinear / DequantizeLinear pair.
  std::unordered_set<const ir::Value*> pairs;
};

// Requires a prepared model (quant/prepare.h).
Decisions decide_static(const ir::Graph& graph, int64_t opset, const NodeKeys& keys,
                        const calib::CalibrationTable& table, const PlanOptions& options);

}  // namespace fettle::quant
