// Which computations need relative rather than absolute precision.
#pragma once

#include <string_view>
#include <unordered_set>

#include "ir/graph.h"

namespace fettle::quant {

// Logarithms, and what computes their operands up to the nearest nonlinearity before: spectra,
// energies, likelihoods. A uniform step that suits their largest values leaves nothing of the small
// ones, and in float16 the small ones become zero.
std::unordered_set<const ir::Node*> nodes_feeding_logarithms(const ir::Graph& graph);

inline constexpr std::string_view kFeedsLogarithm =
    "its result feeds a logarithm, which needs relative precision";

}  // namespace fettle::quant
