// Models that compute NaN or infinity on the user's data: bad input, not a defect.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"
#include "ops/runtime_value.h"

namespace fettle::tools {

// "initializer 'w' holds NaN" for the first float constant that holds NaN or infinity; empty when
// there is none.
std::string non_finite_constant(const ir::Model& model);
// Throws kBadInput when an output of the run on samples from `first` holds NaN or +infinity; -infinity
// is what masks and logarithms of zero rightly give.
void require_numbers(const ir::Model& model, const std::vector<ops::RuntimeValue>& outputs, int64_t first);

}  // namespace fettle::tools
