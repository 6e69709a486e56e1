#include "interp/post_ops.h"

#include <array>
#include <limits>
#include <string_view>

namespace fettle::interp {
namespace {

std::optional<Activation> relu(const ir::Node&, const FusionView&) {
  return Activation{dnnl::algorithm::eltwise_relu, 0.0f, 0.0f};
}

std::optional<Activation> leaky_relu(const ir::Node& node, const FusionView&) {
  return Activation{dnnl::algorithm::eltwise_relu, node.attr_float("alpha", 0.01f), 0.0f};
}

std::optional<Activation> hard_swish(const ir::Node&, const FusionView&) {
  return Activation{dnnl::algorithm::eltwise_hardswish, 0.0f, 0.0f};
}

// The bound in operand `i` (opset 11 on), or `fallback` when omitted; nothing when not constant.
std::optional<float> bound(const ir::Node& node, size_t i, float fallback, const FusionView& view) {
  if (node.input(i) == nullptr) return fallback;
  const ir::Tensor* constant = view.constant(node.input(i));
  const bool scalar =
      constant != nullptr && constant->type() == ir::DataType::kFloat && constant->size() == 1;
  return scalar ? std::optional<float>(constant->data<float>()[0]) : std::nullopt;
}

std::optional<Activation> clip(const ir::Node& node, const FusionView& view) {
  constexpr float kMost = std::numeric_limits<float>::max();
  std::optional<float> low = node.attr_float("min", -kMost);
  std::optional<float> high = node.attr_float("max", kMost);
  if (view.opset(node) >= 11) {
    low = bound(node, 1, -kMost, view);
    high = bound(node, 2, kMost, view);
  }
  if (!low || !high || !(*low <= *high)) return std::nullopt;
  return Activation{dnnl::algorithm::eltwise_clip, *low, *high};
}

struct Row {
  std::string_view op;
  std::optional<Activation> (*make)(const ir::Node&, const FusionView&);
};

constexpr std::array kActivations{
    Row{"Relu", relu},
    Row{"LeakyRelu", leaky_relu},
    Row{"HardSwish", hard_swish},
    Row{"Clip", clip},
};

std::vector<Activation> sigmoid(const ir::Node&) {
  return {{dnnl::algorithm::eltwise_logistic, 0.0f, 0.0f}};
}

std::vector<Activation> tanh(const ir::Node&) {
  return {{dnnl::algorithm::eltwise_tanh, 0.0f, 0.0f}};
}

std::vector<Activation> elu(const ir::Node& node) {
  return {{dnnl::algorithm::eltwise_elu, node.attr_float("alpha", 1.0f), 0.0f}};
}

std::vector<Activation> hard_sigmoid(const ir::Node& node) {
  return {{dnnl::algorithm::eltwise_linear, node.attr_float("alpha", 0.2f),
           node.attr_float("beta", 0.5f)},
          {dnnl::algorithm::eltwise_clip, 0.0f, 1.0f}};
}

struct LongRow {
  std::string_view op;
  std::vector<Activation> (*make)(const ir::Node&);
};

constexpr std::array kMoreActivations{
    LongRow{"Elu", elu},
    LongRow{"HardSigmoid", hard_sigmoid},
    LongRow{"Sigmoid", sigmoid},
    LongRow{"Tanh", tanh},
};

}  // namespace

std::vector<Activation> as_activations(const ir::Node& node, const FusionView& view) {
  if (const auto one = as_activation(node, view)) return {*one};
  if (!node.is_default_domain()) return {};
  for (const LongRow& row : kMoreActivations) {
    if (row.op == node.op_type) return row.make(node);
  }
  return {};
}

std::optional<Activation> as_activation(const ir::Node& node, const FusionView& view) {
  if (!node.is_default_domain()) return std::nullopt;
  for (const Row& row : kActivations) {
    if (row.op == node.op_type) return row.make(node, view);
  }
  return std::nullopt;
}

}  // namespace fettle::interp
