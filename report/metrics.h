// Measures of how near one model's outputs are to another's, and of accuracy against labels.
// All are streaming: memory does not depend on the number of samples.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/runtime_value.h"

namespace fettle::report {

// Numerics of one output against a reference. NaN equals NaN, and infinity equals infinity of the
// same sign.
struct OutputComparison {
  std::string name;
  int64_t elements = 0;
  int64_t mismatched_special = 0;  // NaN or infinity against something else
  double max_abs = 0;              // max |other - reference|
  double max_rel = 0;              // max |other - reference| / max(|reference|, 1e-12)
  double reference_min = 0;        // range of the finite reference values
  double reference_max = 0;
  double sqnr_db() const;          // 10 log10(sum reference^2 / sum error^2); infinity when equal
  double cosine() const;           // 1 when both are all zero
  // Mean of squared reference and error, for reconstruction-like tasks.
  double mean_squared_error() const { return elements > 0 ? error_energy / elements : 0; }

  double reference_energy = 0;
  double other_energy = 0;
  double error_energy = 0;
  double product = 0;
};

// Accumulates one pair of tensors. Throws kBadInput when shapes or types differ in kind.
void accumulate(OutputComparison& comparison, const ir::Tensor& reference, const ir::Tensor& other);

// Index of the largest of `classes` values in every row of `logits` (its last axis holds classes and
// its first axis samples; axes between must be 1). The first of equal values wins.
std::vector<int64_t> top_classes(const ir::Tensor& logits);
// True when `logits` has the form that top_classes() needs: rank >= 2, at least two classes, and
// nothing but 1 between the first and the last axis (or rank 4 with trailing spatial 1x1).
bool looks_like_classes(const ir::Tensor& logits);

// Accuracy against labels. A single-value output [N] or [N, 1] is read as a probability with the
// threshold 0.5 and scored as `accuracy`.
struct AccuracyCounter {
  int64_t samples = 0;
  int64_t top1 = 0;
  int64_t top5 = 0;
  int64_t classes = 0;

  // Scores a batch: output rows against labels[first, first + rows). Returns false when the output
  // does not look like class scores; nothing is counted then.
  bool add(const ir::Tensor& output, const std::vector<int64_t>& labels, int64_t first);
  double top1_rate() const { return samples > 0 ? static_cast<double>(top1) / samples : 0; }
  double top5_rate() const { return samples > 0 ? static_cast<double>(top5) / samples : 0; }
};

// Agreement of the top class between two models' outputs, over all rows.
struct AgreementCounter {
  int64_t rows = 0;
  int64_t agreeing = 0;
  bool add(const ir::Tensor& reference, const ir::Tensor& other);
  double rate() const { return rows > 0 ? static_cast<double>(agreeing) / rows : 0; }
};

}  // namespace fettle::report
