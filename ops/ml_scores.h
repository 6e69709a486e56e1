// Scores of the classifiers and regressors of ai.onnx.ml, and the labels they choose.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

enum class PostTransform { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };

// Attribute post_transform by name; NONE when absent.
PostTransform post_transform_of(const ir::Node& node);
// The same as TreeEnsemble numbers it.
PostTransform post_transform_of(int64_t number);

// How the single score of a two-class model becomes two columns.
enum class SecondClass {
  kNone,        // it stays one
  kComplement,  // 1 - s, s
  kNegated,     // -s, s
};
// Columns of the output for `count` scores.
inline int64_t score_columns(int64_t count, SecondClass second) {
  return count == 1 && second != SecondClass::kNone ? 2 : count;
}
// The scores of one sample, transformed; `out` has score_columns() elements. Of the transforms, a
// single score that stays one is changed by PROBIT alone; one that becomes two by PROBIT and by
// LOGISTIC, which gives logistic(-s) and logistic(s): as in ONNX Runtime.
void write_scores(std::span<double> scores, PostTransform transform, SecondClass second,
                  float* out);

double logistic(double x);

// The labels of a classifier: strings or integers.
class ClassLabels {
 public:
  // `integers` is the name of the attribute with integer labels; classlabels_strings is the other.
  // Throws kBadInput when both are given.
  ClassLabels(const ir::Node& node, std::string_view integers);

  int64_t size() const { return static_cast<int64_t>(std::max(strings_.size(), integers_.size())); }
  ir::DataType type() const {
    return strings_.empty() ? ir::DataType::kInt64 : ir::DataType::kString;
  }
  // Sets element `n` of an output of type() to label `i`.
  void assign(ir::Tensor& out, int64_t n, int64_t i) const;
  // The same to label 1 or 0 of a two-class model, or where the labels are not two to the number.
  void assign_binary(ir::Tensor& out, int64_t n, bool positive) const;

 private:
  std::vector<std::string> strings_;
  std::vector<int64_t> integers_;
};

// The index of the greatest score; the first of several.
int64_t best_class(std::span<const double> scores);

}  // namespace fettle::ops
