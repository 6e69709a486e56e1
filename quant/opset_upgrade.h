// Raises the opset of a model: one table row per operator and version at which its form changed.
#pragma once

#include <cstdint>

#include "ir/model.h"

namespace fettle::quant {

inline constexpr int64_t kOldestUpgradableOpset = 7;
inline constexpr int64_t kNewestUpgradeTarget = 17;

// Rewrites every node of the default domain, subgraphs included, from the imported opset (7 or
// newer) to `target` (at most 17), so that the model computes the same, and sets opset and, where
// needed, IR version. A model at `target` or above is left alone. Throws kUnsupported, naming the
// node, for what has no equivalent, and for models with local functions that import less than
// `target`.
void upgrade_opset(ir::Model& model, int64_t target);

}  // namespace fettle::quant
