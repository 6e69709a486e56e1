// What is computed on the result of a convolution or matrix product before it is stored.
#pragma once

#include <dnnl.hpp>
#include <optional>

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

}  // namespace fettle::interp
