// Unstructured magnitude pruning with one threshold for the whole model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "passes/prune/weights.h"

namespace fettle::passes {

struct PruneOptions {
  double sparsity = 0.5;             // share of the elements of all prunable weights, 0..1
  std::vector<std::string> exclude;  // patterns of node, output or weight names
};

struct PrunedTensor {
  std::string name;
  std::string node;        // that uses it
  bool is_first = false;   // the weights that the model uses first and last, which are often the
  bool is_last = false;    // most sensitive; they are pruned like all others unless excluded
  int64_t elements = 0;
  int64_t zeros_before = 0;
  int64_t zeros_after = 0;
};

// Sizes are of the weights considered, in bytes.
struct PruneReport {
  int64_t weights = 0;  // elements
  int64_t zeros_before = 0;
  int64_t zeros_after = 0;
  double threshold = 0;  // largest magnitude that was set to zero
  int64_t raw_bytes = 0;         // the same before and after
  int64_t compressed_before = 0;  // under deflate (zlib's default level), tensor by tensor
  int64_t compressed_after = 0;
  std::vector<PrunedTensor> tensors;
  std::vector<SkippedWeight> skipped;
  std::string statement;  // what this does to size and speed, in plain words
};

// Sets the round(sparsity * elements) elements of least magnitude to +0, over all prunable weights at
// once (global L1-unstructured pruning: Han et al., 2015; torch.nn.utils.prune.global_unstructured).
// Ties go to the earlier tensor, then the earlier element, so that the number is met exactly.
// Elements that are zero already count; NaN counts as largest. Weights are replaced by new constants.
// Throws kUsage unless 0 <= sparsity <= 1.
PruneReport prune_unstructured(ir::Model& model, const PruneOptions& options);

}  // namespace fettle::passes
