#include "quant/useful_range.h"

#include <algorithm>
#include <limits>

#include "quant/placement.h"

namespace fettle::quant {

namespace {

// For Mul(value, f(value)): the row of f, or null.
const Placement* gate_of(const ir::Node& node, const ir::Value& value) {
  if (!node.is("Mul") || node.inputs().size() != 2) return nullptr;
  const ir::Value* other = node.input(0) == &value ? node.input(1) : node.input(0);
  const ir::Node* function = other != nullptr ? other->producer() : nullptr;
  if (function == nullptr || function->input(0) != &value) return nullptr;
  const Placement* row = find_placement(*function);
  return row != nullptr && row->zero_below ? row : nullptr;
}

}  // namespace

calib::TensorRange useful_range(const ir::Value& value, calib::TensorRange range) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (value.is_graph_output() || value.uses().empty()) return range;
  double low = kInfinity;
  double high = -kInfinity;
  for (const ir::Use& use : value.uses()) {
    const Placement* gate = gate_of(*use.node, value);
    const Placement* row = gate != nullptr ? gate : find_placement(*use.node);
    if (row == nullptr) return range;
    low = std::min(low, row->flat_below);
    high = std::max(high, gate != nullptr ? kInfinity : row->flat_above);
  }
  // One step further out, so that rounding the zero point does not bring the end back in.
  low = std::max<double>(range.min, std::min(low, 0.0));
  high = std::min<double>(range.max, std::max(high, 0.0));
  const double step = std::max(high - low, 0.0) / 255;
  range.min = static_cast<float>(std::max<double>(range.min, low - step));
  range.max = static_cast<float>(std::min<double>(range.max, high + step));
  return range;
}

}  // namespace fettle::quant
