// Inputs made up for a model, where there is no data.
#pragma once

#include <cstdint>
#include <vector>

#include "interp/executor.h"

namespace fettle::interp {

// Inputs that fit the declared types: normally distributed, of mixed magnitudes, zeros, negative.
// Unknown extents are `extent` and twice that, by turns, the same for equal symbols; of axis 0 they
// are 1 and 2. Integers are 0 and 1. Deterministic in `seed`.
// Throws kUnsupported for inputs that are not tensors or whose rank is unknown.
std::vector<Feeds> generate_inputs(const ir::Model& model, uint64_t seed, int64_t extent = 1);
// Those of generated inputs on which the model runs, for the first of several extents for which
// there are any, `most` at the most; all that were tried last when there are none.
std::vector<Feeds> usable_inputs(const ir::Model& model, uint64_t seed,
                                 const ExecutorOptions& options, size_t most = SIZE_MAX);
// The first usable input: normally distributed where the model runs on such. For a model that has no
// kernels here, the first generated one.
Feeds usable_input(const ir::Model& model, uint64_t seed, const ExecutorOptions& options);

}  // namespace fettle::interp
