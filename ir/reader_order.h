// Topological order while reading. Private header of ir/.
#pragma once

#include "ir/graph.h"

namespace fettle::ir {

// Sorts the nodes of `graph` so that producers come first. Throws kBadInput that names the nodes
// of a cycle when there is one.
void sort_or_fail(Graph& graph);

}  // namespace fettle::ir
