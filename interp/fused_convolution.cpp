#include "interp/fused_convolution.h"

#include "interp/convolution.h"

namespace fettle::interp {
namespace {

// The activation that the node names; nothing when it is not known or lacks parameters.
std::optional<std::vector<Activation>> activations_of(const ir::Node& node) {
  if (!node.has_attribute("activation")) return std::vector<Activation>{};
  using dnnl::algorithm;
  using Made = std::vector<Activation>;
  const std::string name = node.attr_string("activation", "");
  const std::vector<float> p = node.attr_floats("activation_params");
  if (name == "Relu") return Made{{algorithm::eltwise_relu, 0.0f, 0.0f}};
  if (name == "Tanh") return Made{{algorithm::eltwise_tanh, 0.0f, 0.0f}};
  if (name == "Sigmoid") return Made{{algorithm::eltwise_logistic, 0.0f, 0.0f}};
  if (name == "HardSwish") return Made{{algorithm::eltwise_hardswish, 0.0f, 0.0f}};
  if (name == "LeakyRelu" && !p.empty()) return Made{{algorithm::eltwise_relu, p[0], 0.0f}};
  if (p.size() < 2) return std::nullopt;
  if (name == "Clip" && p[0] <= p[1]) return Made{{algorithm::eltwise_clip, p[0], p[1]}};
  if (name == "HardSigmoid") {
    return Made{{algorithm::eltwise_linear, p[0], p[1]}, {algorithm::eltwise_clip, 0.0f, 1.0f}};
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_fused_convolution(const NodeFacts& facts) {
  auto activations = activations_of(*facts.node);
  if (!activations) return nullptr;
  ConvolutionOptions options;
  options.residual = facts.node->input(3) != nullptr;
  options.activations = std::move(*activations);
  return make_convolution(*facts.node, std::move(options));
}

}  // namespace fettle::interp
