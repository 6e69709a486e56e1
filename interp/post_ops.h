// What is computed on the result of a convolution or matrix product before it is stored.
#pragma once

#include <dnnl.hpp>
#include <optional>
#include <vector>

#include "interp/fusion.h"

namespace fettle::interp {

struct Activation {
  dnnl::algorithm algorithm = dnnl::algorithm::undef;
  float alpha = 0.0f;
  float beta = 0.0f;
};

// The activation that `node` computes on its operand 0, when it is one that a primitive can apply
// exactly: Relu, LeakyRelu, HardSwish, and Clip with constant bounds.
std::optional<Activation> as_activation(const ir::Node& node, const FusionView& view);

// The same with those that a primitive only approximates as well as float32 allows, or that take it
// two steps: Sigmoid, Tanh, Elu and HardSigmoid too. Empty when `node` is none of these.
std::vector<Activation> as_activations(const ir::Node& node, const FusionView& view);

}  // namespace fettle::interp
