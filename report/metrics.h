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
  int64_t finite = 0;              // elements that are finite in both
  int64_t mismatched_special = 0;  // NaN or infinity against something else
  double max_abs = 0;              // max |other - reference|
  double max_rel = 0;              // max |other - reference| / max(|reference|, 1e-12)
  double reference_min = 0;        // range of the finite reference values
  double reference_max = 0;
  // 10 log10(sum reference^2 / sum error^2) over the finite elements; infinity when all are equal,
  // -infinity with mismatched special values.
  double sqnr_db() const;
  // Over the finite elements; 1 when both are all zero, 0 with mismatched special values.
  double cosine() const;
  double mean_squared_error() const;  // over the finite elements; infinity with mismatched ones

  double reference_energy = 0;
  double other_energy = 0;
  double error_energy = 0;
  double product = 0;
};

// Accumulates one pair of tensors. Throws kBadInput when shapes or types differ in kind.
void accumulate(OutputComparison& comparison, const ir::Tensor& reference, const ir::Tensor& other);

// The class of every row of [rows, classes] scores (class_scores.h): the index of the largest value,
// the first of equal ones; -1 where a row holds NaN or its largest value is not finite.
std::vector<int64_t> top_classes(const ir::Tensor& scores);

// Accuracy against labels.
struct AccuracyCounter {
  int64_t samples = 0;
  int64_t top1 = 0;
  int64_t top5 = 0;
  int64_t classes = 0;

  // Scores the rows of [rows, classes] against labels[first, first + rows), which lie in
  // [0, classes). A row that holds NaN or whose largest value is not finite is wrong.
  void add_scores(const ir::Tensor& output, const std::vector<int64_t>& labels, int64_t first);
  // Scores one probability per sample at the threshold 0.5 against labels 0 and 1.
  void add_probabilities(const ir::Tensor& output, const std::vector<int64_t>& labels, int64_t first);
  double top1_rate() const { return samples > 0 ? static_cast<double>(top1) / samples : 0; }
  double top5_rate() const { return samples > 0 ? static_cast<double>(top5) / samples : 0; }
};

// Agreement of the top class between two models' scores, over all rows. Rows without a class agree
// when their special values are the same in the same places.
struct AgreementCounter {
  int64_t rows = 0;
  int64_t agreeing = 0;
  // Throws kBadInput unless both hold [rows, classes] of one shape.
  void add(const ir::Tensor& reference, const ir::Tensor& other);
  double rate() const { return rows > 0 ? static_cast<double>(agreeing) / rows : 0; }
};

}  // namespace fettle::report
