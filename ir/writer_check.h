// Proof that a written model reads back as what it was. Private header of ir/.
#pragma once

#include "ir/model.h"

namespace fettle::ir {

// Throws kInternal unless both models have the same graphs, nodes and constants.
void require_same(const Model& written, const Model& source);

}  // namespace fettle::ir
