// Checks of a whole model after reading. Private header of ir/.
#pragma once

#include "ir/model.h"

namespace fettle::ir {

// Throws kBadInput when the default domain is used but not imported, when functions are given
// twice or call each other in a cycle, and kLimit when inlining all calls would make more than
// 10^6 nodes.
void check_model(const Model& model);

}  // namespace fettle::ir
