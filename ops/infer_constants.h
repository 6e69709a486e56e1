// Propagation of small constants through inference.
#pragma once

#include "ops/infer_context.h"
#include "ops/table.h"

namespace fettle::ops {

// When the contents of all operands are known and small, computes the outputs with the operator's
// kernel and records their contents in the context. What the kernel refuses stays unknown.
void evaluate_constants(const OpDef& op, InferContext& context);

}  // namespace fettle::ops
