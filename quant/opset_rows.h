// What changed for which operator at which opset, and how to follow.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/graph.h"

namespace fettle::quant {

// Rewrites one node from the form before the boundary to the form from it on. Throws kUnsupported
// where there is no equivalent; the caller adds the node as context.
using UpgradeRule = void (*)(ir::Node&);

struct UpgradeRow {
  std::string_view op;
  int64_t version;  // first opset of the new form
  UpgradeRule rewrite;
};

// Sorted by version: a node that passes several boundaries meets them in order, and a rule that
// renames a node hands it on to the rows of its new name.
std::span<const UpgradeRow> upgrade_rows();

// Operators whose axis lost its flattening meaning at opset 13 (opset_softmax.cpp).
void upgrade_flattening_axis(ir::Node& node);

// An int64 constant [n] in the graph of `node`, as operand `index` named after the attribute.
void add_ints_operand(ir::Node& node, size_t index, std::string_view name,
                      const std::vector<int64_t>& values);

}  // namespace fettle::quant
