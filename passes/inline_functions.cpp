// Replaces every call to a model-local function by its body.
//
//   x -> F(x) -> y,  F(a) => (b) { t = Relu(a); b = Neg(t) }      x -> Relu -> Neg -> y
//
// See ir/inline_functions.h for names, attributes and opset imports.
// Traps: functions that need another opset version than the model cannot be inlined.
#include "ir/inline_functions.h"

#include "passes/passes.h"

namespace fettle::passes {

int64_t inline_functions(PassContext& context) { return ir::inline_functions(context.model); }

}  // namespace fettle::passes
