#include "quant/placement.h"

#include <algorithm>
#include <limits>

#include "quant/params.h"

namespace fettle::quant {

namespace {

// A bias operand must be a constant with one value, or one per output channel.
std::string bias_declines(const ir::Node& node, size_t channel_axis) {
  const ir::Value* weight = node.input(1);
  const ir::Value* bias = node.input(2);
  if (bias == nullptr || weight == nullptr || weight->constant() == nullptr) return {};
  if (!bias->is_constant() || bias->constant()->type() != ir::DataType::kFloat) {
    return "its bias is not a float constant";
  }
  const ir::Tensor& w = *weight->constant();
  const ir::Dims& dims = bias->constant()->dims();
  const bool vector = dims.size() <= 1 || (dims.size() == 2 && dims[0] == 1);
  const int64_t count = bias->constant()->size();
  if (channel_axis >= w.rank() || !vector || (count != 1 && count != w.dim(channel_axis))) {
    return "its bias does not hold one value per output channel";
  }
  return {};
}

std::string conv_declines(const ir::Node& node) {
  return bias_declines(node, 0);
}

size_t gemm_channel_axis(const ir::Node& node) {
  return node.attr_int("transB", 0) != 0 ? 0 : 1;
}

std::string gemm_declines(const ir::Node& node) {
  if (node.attr_int("transA", 0) != 0) return "the integer kernel has no transposed first operand";
  if (node.attr_float("alpha", 1) != 1 || node.attr_float("beta", 1) != 1) {
    return "alpha or beta is not 1 and belongs to an operand that is not a constant";
  }
  return bias_declines(node, gemm_channel_axis(node));
}

std::string matmul_declines(const ir::Node& node) {
  const ir::Value* b = node.input(1);
  const bool vector = b != nullptr && b->constant() != nullptr && b->constant()->rank() < 2;
  return vector ? "its constant operand is a vector" : "";
}

std::string max_pool_declines(const ir::Node& node) {
  return node.output(1) != nullptr ? "its Indices output is used" : "";
}

std::string resize_declines(const ir::Node& node) {
  const std::string mode = node.attr_string("mode", "nearest");
  if (mode == "cubic") return "cubic interpolation leaves the range of its input";
  if (mode != "nearest") return "ONNX Runtime truncates when it interpolates 8-bit values";
  return {};
}

std::string where_declines(const ir::Node& node) {
  for (size_t i = 1; i <= 2; ++i) {
    const ir::Value* v = node.input(i);
    if (v != nullptr && v->constant() != nullptr) return "one branch is a constant, such as a mask";
  }
  return {};
}

int64_t conv_axis(const ir::Node&) {
  return 0;
}
int64_t gemm_axis(const ir::Node& node) {
  return static_cast<int64_t>(gemm_channel_axis(node));
}
int64_t matmul_axis(const ir::Node& node) {
  return node.input(1)->constant()->rank() == 2 ? 1 : -1;
}

constexpr std::string_view kNoKernel = "the CPU runtime has no 8-bit kernel for it";

// One row per operator, sorted by name.
constexpr Placement kPlacements[] = {
    {.op = "Add", .role = Role::kArithmetic, .data_operands = 0b11},
    {.op = "AveragePool", .role = Role::kArithmetic},
    {.op = "BatchNormalization",
     .role = Role::kFloat,
     .note = "batch normalization is not fused; let the optimizer fold it into the convolution"},
    {.op = "Clip", .role = Role::kClamp},
    {.op = "Concat", .role = Role::kArithmetic, .data_operands = kAllOperands},
    {.op = "Conv",
     .role = Role::kWeighted,
     .data_operands = 0b11,
     .declines = conv_declines,
     .channel_axis = conv_axis,
     .needs_quantized_output = true},
    {.op = "ConvTranspose", .role = Role::kFloat, .note = kNoKernel},
    {.op = "DepthToSpace", .role = Role::kMover, .since = 13},
    {.op = "Div", .role = Role::kFloat, .note = kNoKernel},
    {.op = "Dropout", .role = Role::kFloat, .note = "the optimizer removes it"},
    {.op = "Elu", .role = Role::kFloat, .squashes = true, .note = kNoKernel},
    {.op = "Erf", .role = Role::kFloat, .squashes = true, .note = kNoKernel},
    {.op = "Exp", .role = Role::kFloat, .squashes = true, .note = kNoKernel},
    {.op = "Expand", .role = Role::kMover},
    {.op = "Flatten", .role = Role::kMover},
    {.op = "GRU", .role = Role::kFloat, .squashes = true, .note = "recurrent operators stay float"},
    {.op = "Gather", .role = Role::kMover},
    {.op = "GatherElements", .role = Role::kMover},
    {.op = "Gelu", .role = Role::kFloat, .squashes = true, .note = kNoKernel},
    {.op = "Gemm",
     .role = Role::kWeighted,
     .data_operands = 0b11,
     .declines = gemm_declines,
     .channel_axis = gemm_axis},
    {.op = "GlobalAveragePool", .role = Role::kArithmetic},
    {.op = "GlobalMaxPool", .role = Role::kFloat, .note = kNoKernel},
    {.op = "HardSigmoid", .role = Role::kFloat, .squashes = true, .note = kNoKernel},
    {.op = "HardSwish",
     .role = Role::kFloat,
     .squashes = true,
     .flat_below = -3,
     .note = kNoKernel},
    {.op = "If", .role = Role::kFloat, .note = "values inside subgraphs stay float"},
    {.op = "InstanceNormalization", .role = Role::kFloat, .note = kNoKernel},
    {.op = "LSTM",
     .role = Role::kFloat,
     .squashes = true,
     .note = "recurrent operators stay float"},
    {.op = "LayerNormalization", .role = Role::kFloat, .note = kNoKernel},
    {.op = "LeakyRelu", .role = Role::kArithmetic, .squashes = true},
    {.op = "Log", .role = Role::kFloat, .wants_relative_precision = true, .note = kNoKernel},
    {.op = "LogSoftmax", .role = Role::kFloat, .squashes = true, .note = kNoKernel},
    {.op = "Loop", .role = Role::kFloat, .note = "values inside subgraphs stay float"},
    {.op = "MatMul",
     .role = Role::kWeighted,
     .data_operands = 0b11,
     .declines = matmul_declines,
     .channel_axis = matmul_axis,
     .bias_follows_as_add = true},
    {.op = "Max", .role = Role::kFloat, .note = kNoKernel},
    {.op = "MaxPool", .role = Role::kMover, .since = 12, .declines = max_pool_declines},
    {.op = "Min", .role = Role::kFloat, .note = kNoKernel},
    {.op = "Mul", .role = Role::kArithmetic, .data_operands = 0b11},
    {.op = "PRelu", .role = Role::kFloat, .squashes = true, .note = kNoKernel},
    {.op = "Pad", .role = Role::kFloat, .note = kNoKernel},
    {.op = "Pow", .role = Role::kFloat, .note = kNoKernel},
    {.op = "RNN", .role = Role::kFloat, .squashes = true, .note = "recurrent operators stay float"},
    {.op = "ReduceMax", .role = Role::kMover, .since = 12},
    {.op = "ReduceMean", .role = Role::kFloat, .note = kNoKernel},
    {.op = "ReduceMin", .role = Role::kMover, .since = 12},
    {.op = "Relu", .role = Role::kClamp, .squashes = true, .clamp_low = 0},
    {.op = "Reshape", .role = Role::kMover},
    {.op = "Resize", .role = Role::kMover, .since = 11, .declines = resize_declines},
    {.op = "Scan", .role = Role::kFloat, .note = "values inside subgraphs stay float"},
    {.op = "Sigmoid",
     .role = Role::kArithmetic,
     .unit_output = true,
     .squashes = true,
     .flat_below = -8,
     .flat_above = 8,
     .zero_below = true},
    {.op = "Slice", .role = Role::kMover},
    {.op = "Softmax", .role = Role::kArithmetic, .unit_output = true, .squashes = true},
    {.op = "SpaceToDepth", .role = Role::kFloat, .note = kNoKernel},
    {.op = "Split", .role = Role::kMover},
    {.op = "Sqrt", .role = Role::kFloat, .note = kNoKernel},
    {.op = "Squeeze", .role = Role::kMover},
    {.op = "Sub", .role = Role::kFloat, .note = kNoKernel},
    {.op = "Tanh",
     .role = Role::kFloat,
     .squashes = true,
     .flat_below = -4,
     .flat_above = 4,
     .note = kNoKernel},
    {.op = "Tile", .role = Role::kMover},
    {.op = "Transpose", .role = Role::kMover},
    {.op = "Unsqueeze", .role = Role::kMover},
    {.op = "Where", .role = Role::kArithmetic, .data_operands = 0b110, .declines = where_declines},
};

static_assert(std::is_sorted(std::begin(kPlacements), std::end(kPlacements),
                             [](const auto& a, const auto& b) { return a.op < b.op; }));

// A bound of Clip: from its operand (opset 11), else its attribute, else `none`.
bool clip_bound(const ir::Node& node, size_t operand, std::string_view attribute, double none,
                double& bound) {
  const ir::Value* v = node.input(operand);
  if (v == nullptr) {
    bound = node.has_attribute(attribute) ? node.attr_float(attribute, 0) : none;
    return true;
  }
  if (v->constant() == nullptr || v->constant()->size() != 1) return false;
  bound = ir::element_as_double(*v->constant(), 0);
  return true;
}

}  // namespace

std::span<const Placement> all_placements() {
  return kPlacements;
}

const Placement* find_placement(const ir::Node& node) {
  if (!node.is_default_domain()) return nullptr;
  const auto it =
      std::lower_bound(std::begin(kPlacements), std::end(kPlacements), node.op_type,
                       [](const Placement& row, const std::string& op) { return row.op < op; });
  return it != std::end(kPlacements) && it->op == node.op_type ? it : nullptr;
}

bool is_data_operand(const Placement& row, size_t index) {
  return ((row.data_operands >> std::min<size_t>(index, 30)) & 1u) != 0;
}

bool is_quantized_already(const ir::Node& node) {
  for (const ir::Value* v : node.inputs()) {
    if (v != nullptr && v->producer() != nullptr && v->producer()->op_type == "DequantizeLinear") {
      return true;
    }
  }
  for (const ir::Value* v : node.outputs()) {
    if (v == nullptr) continue;
    for (const ir::Use& use : v->uses()) {
      if (use.node->op_type == "QuantizeLinear" && use.index == 0) return true;
    }
  }
  return false;
}

bool clamp_bounds(const ir::Node& node, ClampBounds& bounds) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Placement* row = find_placement(node);
  if (row == nullptr || row->role != Role::kClamp) return false;
  return clip_bound(node, 1, "min", row->clamp_low, bounds.low) &&
         clip_bound(node, 2, "max", kInfinity, bounds.high) && bounds.low <= bounds.high;
}

bool clamp_is_redundant(const ir::Node& clamp, const QuantParams& params) {
  ClampBounds bounds;
  if (!clamp_bounds(clamp, bounds) || params.axis >= 0) return false;
  const RealInterval span = representable_interval(params);
  // The zero point is a whole number, so that the ends may lie half a step outside.
  const double slack = 0.5001 * params.scale[0];
  return span.low >= bounds.low - slack && span.high <= bounds.high + slack;
}

}  // namespace fettle::quant
