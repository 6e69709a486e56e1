// What a user should be told about a quantization besides its figures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/steps.h"

namespace fettle::tools {

// Options that have no effect on this model: patterns and types that match no node of it or of its plan
// (patterns also match the names of weights when it is pruned), and those of other modes.
std::vector<std::string> idle_options(const ir::Model& model, const quant::Plan& plan,
                                      const QuantizeOptions& options, bool pruning);
// One line when less than half of the bytes of float constants became 8-bit: which operator types
// keep most of the rest, and why. Empty otherwise, and in modes that do not make 8-bit weights.
// `model` is the model that the plan is for, not rewritten yet.
std::string float_weights_remark(const ir::Model& model, const quant::Plan& plan);

}  // namespace fettle::tools
