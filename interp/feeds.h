// Checks what a caller feeds against what the model declares.
#pragma once

#include <string>
#include <vector>

#include "interp/executor.h"

namespace fettle::interp {

// The values of the main graph's inputs in order; those not fed take `defaults` (null: required).
// Throws kBadInput for a missing or unknown input, and for a type or shape that contradicts the
// declaration; a symbolic dimension must have one extent throughout. Messages list what the model
// expects.
std::vector<ops::RuntimeValue> bind_feeds(const ir::Graph& graph, const Feeds& feeds,
                                          const std::vector<const ops::RuntimeValue*>& defaults);

}  // namespace fettle::interp
