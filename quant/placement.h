// How ONNX Runtime's CPU provider treats each operator between DequantizeLinear and QuantizeLinear:
// the one place of this folder that knows operators by name.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"
#include "quant/plan.h"

namespace fettle::quant {

enum class Role {
  kWeighted,    // Conv, Gemm, MatMul: the reason to quantize at all
  kArithmetic,  // has an 8-bit kernel with own output parameters; pays between 8-bit neighbors
  kMover,       // runs on 8-bit data unchanged; outputs share the input's parameters
  kClamp,       // Relu, Clip: disappears into the saturation of the QuantizeLinear before it
  kFloat,       // never fused on CPU; Q/DQ around it would only cost time
};

struct Placement {
  std::string_view op;  // of the default domain
  Role role;
  // Lowest opset at which the runtime has the 8-bit form.
  int since = 1;
  // Operands that carry data, as a mask; operands beyond bit 30 follow bit 30 (variadic operators).
  uint32_t data_operands = 1;
  // Output range fixed by the function: scale 1/256, zero point 0.
  bool unit_output = false;
  // Why this node, though of this operator, cannot run on 8-bit data; empty when it can. May be
  // null.
  std::string (*declines)(const ir::Node&) = nullptr;
  // kWeighted with a constant operand 1: the axis along which its output channels lie, or -1 where
  // the runtime takes one scale only.
  int64_t (*channel_axis)(const ir::Node&) = nullptr;
  // kWeighted: fused only when a QuantizeLinear follows; others may give float.
  bool needs_quantized_output = false;
  // kWeighted without a bias operand: an Add of a constant vector after it is its bias.
  bool bias_follows_as_add = false;
  // Its operand counts by its ratio, not its difference, to others: no uniform step serves it.
  bool wants_relative_precision = false;
  // A nonlinearity behind which the precision of what comes before no longer counts that way.
  bool squashes = false;
  // Below `flat_below` and above `flat_above` the function is constant to within a 256th of its
  // slope's range: inputs out there need no codes of their own.
  double flat_below = -std::numeric_limits<double>::infinity();
  double flat_above = std::numeric_limits<double>::infinity();
  // The constant below is zero, so that x * f(x) is flat there too.
  bool zero_below = false;
  double clamp_low = -std::numeric_limits<double>::infinity();  // kClamp without a lower operand
  std::string_view note = {};                                   // kFloat: why
};

inline constexpr uint32_t kAllOperands = 0xffffffffu;

// The row of a node of the default domain, or null.
const Placement* find_placement(const ir::Node& node);
std::span<const Placement> all_placements();
// True when operand `index` carries data.
bool is_data_operand(const Placement& row, size_t index);

// True for a node that reads a DequantizeLinear or is read by a QuantizeLinear: someone has
// quantized it before, and what the runtime makes of it would be lost by a change.
bool is_quantized_already(const ir::Node& node);

// The interval that a Relu or Clip clamps to; false when its bounds are not constants.
struct ClampBounds {
  double low = 0;
  double high = 0;
};
bool clamp_bounds(const ir::Node& node, ClampBounds& bounds);
// True when quantization with these parameters saturates exactly where the clamp does or earlier.
bool clamp_is_redundant(const ir::Node& clamp, const QuantParams& params);

}  // namespace fettle::quant
