// Replacement of calls to model-local functions by their bodies.
#pragma once

#include <cstdint>

#include "ir/model.h"

namespace fettle::ir {

// Nodes that inlining may add before it gives up with kLimit.
inline constexpr int64_t kInlineNodeBudget = 1'000'000;

// Replaces every call to a function of the model, at any depth, by the function's body, and removes
// all functions. Names of the body get the call's name as prefix; the outputs of the call keep
// theirs. References to attributes are replaced by the call's attributes, the function's defaults,
// or nothing. Opset imports of the functions are added to the model's. Returns the number of calls.
// Throws kUnsupported when a function needs another version of a domain than the model imports,
// kBadInput for recursive functions and calls with too many operands, kLimit beyond the budget.
int64_t inline_functions(Model& model);

}  // namespace fettle::ir
