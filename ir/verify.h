// The structural verifier: SSA, scoping, topological order, uses and producers consistent.
#pragma once

#include "ir/model.h"

namespace fettle::ir {

// Throws kInternal naming the first violation. Cheap enough to run after every pass.
void verify(const Model& model);

}  // namespace fettle::ir
