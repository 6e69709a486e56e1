#include "passes/linear_weights.h"

#include <cmath>
#include <type_traits>

#include "ir/float16.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

using Layout = LinearNode::Layout;

bool supported(ir::DataType type) {
  return type == ir::DataType::kFloat || type == ir::DataType::kDouble ||
         type == ir::DataType::kFloat16 || type == ir::DataType::kBfloat16;
}

bool describe_conv(const ir::Node&, LinearNode& linear) {
  if (linear.weight->rank() < 3) return false;
  linear.channels = linear.weight->dim(0);
  return true;
}

bool describe_conv_transpose(const ir::Node& node, LinearNode& linear) {
  const int64_t group = node.attr_int("group", 1);
  if (linear.weight->rank() < 3 || group < 1 || linear.weight->dim(0) % group != 0) return false;
  linear.layout = Layout::kGrouped;
  linear.rows_per_group = linear.weight->dim(0) / group;
  linear.channels = linear.weight->dim(1) * group;
  return linear.rows_per_group > 0;
}

bool describe_gemm(const ir::Node& node, LinearNode& linear) {
  if (linear.weight->rank() != 2) return false;
  const bool transposed = node.attr_int("transB", 0) != 0;
  linear.layout = transposed ? Layout::kRow : Layout::kColumn;
  linear.channels = linear.weight->dim(transposed ? 0 : 1);
  linear.channel_is_last = true;
  return true;
}

bool describe_matmul(const ir::Node&, LinearNode& linear) {
  if (linear.weight->rank() != 2) return false;
  linear.layout = Layout::kColumn;
  linear.channels = linear.weight->dim(1);
  linear.channel_is_last = true;
  linear.takes_bias = false;
  return true;
}

struct Row {
  std::string_view op;
  bool (*describe)(const ir::Node&, LinearNode&);
};
constexpr Row kRows[] = {
    {"Conv", describe_conv},
    {"ConvTranspose", describe_conv_transpose},
    {"Gemm", describe_gemm},
    {"MatMul", describe_matmul},
};

const Row* row_of(const ir::Node& node) {
  for (const Row& row : kRows) {
    if (node.is(row.op)) return &row;
  }
  return nullptr;
}

int64_t channel_of(const LinearNode& linear, int64_t i, int64_t j) {
  switch (linear.layout) {
    case Layout::kRow: return i;
    case Layout::kColumn: return j;
    case Layout::kGrouped: return i / linear.rows_per_group * linear.weight->dim(1) + j;
  }
  return 0;
}

// The weights times the scale of their output channel; undefined when an element overflows.
template <typename T>
ir::Tensor scaled_as(const LinearNode& linear, const std::vector<double>& scale) {
  const ir::Tensor& weight = *linear.weight;
  ir::Tensor out(weight.type(), weight.dims());
  const auto from = weight.data<T>();
  const auto to = out.mutable_data<T>();
  const int64_t rows = weight.dim(0), columns = weight.dim(1);
  const int64_t inner = rows * columns == 0 ? 0 : weight.size() / (rows * columns);
  size_t at = 0;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const double factor = scale[static_cast<size_t>(channel_of(linear, i, j))];
      for (int64_t k = 0; k < inner; ++k, ++at) {
        const auto old = static_cast<double>(from[at]);
        using Step = std::conditional_t<std::is_same_v<T, double>, double, float>;
        to[at] = static_cast<T>(static_cast<Step>(old * factor));
        if (std::isfinite(old) && !std::isfinite(static_cast<double>(to[at]))) return {};
      }
    }
  }
  weight.release_pages();
  return out;
}

ir::Tensor scaled(const LinearNode& linear, const std::vector<double>& scale) {
  switch (linear.weight->type()) {
    case ir::DataType::kDouble: return scaled_as<double>(linear, scale);
    case ir::DataType::kFloat16: return scaled_as<ir::Float16>(linear, scale);
    case ir::DataType::kBfloat16: return scaled_as<ir::Bfloat16>(linear, scale);
    default: return scaled_as<float>(linear, scale);
  }
}

// scale * beta * bias + shift, with Gemm's beta and a bias that may be a single number.
std::vector<double> folded_bias(const LinearNode& linear, const Affine& affine) {
  const double beta = linear.node->is("Gemm") ? linear.node->attr_float("beta", 1.0f) : 1.0;
  std::vector<double> bias = affine.shift;
  for (size_t c = 0; linear.bias != nullptr && c < bias.size(); ++c) {
    const double old = ir::element_as_double(*linear.bias, linear.bias->size() == 1
                                                               ? 0
                                                               : static_cast<int64_t>(c));
    bias[c] += (affine.scale.empty() ? 1.0 : affine.scale[c]) * beta * old;
  }
  return bias;
}

// One number per channel: [C], or for Gemm also a single number or [1, C].
bool is_channel_bias(const LinearNode& linear) {
  const ir::Dims& dims = linear.bias->dims();
  if (dims == ir::Dims{linear.channels}) return true;
  if (!linear.node->is("Gemm") || dims.size() > 2) return false;
  return linear.bias->size() == 1 || dims == ir::Dims{1, linear.channels};
}

}  // namespace

bool is_linear(const ir::Node& node) { return row_of(node) != nullptr; }

std::optional<LinearNode> linear_node(const PassContext& context, ir::Node& node,
                                      std::string& reason) {
  const Row* row = row_of(node);
  if (row == nullptr) return std::nullopt;
  LinearNode linear;
  linear.node = &node;
  linear.weight = context.constant(node.input(1));
  if (linear.weight == nullptr) {
    reason = node.input(1) != nullptr && node.input(1)->has_initializer()
                 ? "the weights before it are the default of a graph input, which callers may override"
                 : "the weights before it are not constant";
    return std::nullopt;
  }
  if (!supported(linear.weight->type()) || !row->describe(node, linear)) {
    reason = "the weights before it have an unexpected type or shape";
    return std::nullopt;
  }
  if (linear.takes_bias && node.input(2) != nullptr) {
    linear.bias = context.constant(node.input(2));
    if (linear.bias == nullptr) {
      reason = "the bias before it is not constant";
      return std::nullopt;
    }
    if (!is_channel_bias(linear)) {
      reason = "the bias before it is not one number per channel";
      return std::nullopt;
    }
  }
  return linear;
}

std::string fold_affine(PassContext&, const LinearNode& linear, const Affine& affine) {
  ir::Node& node = *linear.node;
  ir::Value& weight = *node.input(1);
  if (!affine.scale.empty() && (weight.uses().size() > 1 || weight.is_graph_output())) {
    return "the weights '" + weight.name() + "' before it are shared with other nodes";
  }
  const std::vector<double> bias = folded_bias(linear, affine);
  bool has_shift = linear.bias != nullptr;
  for (const double b : affine.shift) has_shift |= b != 0;
  if (!all_finite(affine.scale)) return "a folded scale is not finite";
  ir::Tensor bias_tensor;
  if (has_shift) {
    bias_tensor = tensor_of(linear.weight->type(), {linear.channels}, bias);
    if (!all_finite(doubles_of(bias_tensor))) return "a folded bias is not finite";
  }
  if (!affine.scale.empty()) {
    ir::Tensor tensor = scaled(linear, affine.scale);
    if (!tensor.defined()) return "a folded weight is not finite";
    node.set_input(1, &add_weight(node.graph(), weight.name() + "_folded", std::move(tensor)));
  }
  if (has_shift) {
    const std::string base = node.input(2) != nullptr ? node.input(2)->name() + "_folded"
                                                      : node.output(0)->name() + "_bias";
    node.set_input(2, &add_weight(node.graph(), base, std::move(bias_tensor)));
    if (node.is("Gemm")) node.remove_attribute("beta");
  }
  return "";
}

}  // namespace fettle::passes
