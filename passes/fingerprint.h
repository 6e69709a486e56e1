// A hash of a model's structure, for the oscillation guard.
#pragma once

#include <cstdint>

#include "ir/model.h"

namespace fettle::passes {

// Equal for models with the same operators, attributes, connections and constant storage, whatever
// their inner names.
uint64_t fingerprint(const ir::Model& model);

}  // namespace fettle::passes
