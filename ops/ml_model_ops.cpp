// Rows of the trained models of ai.onnx.ml: trees, linear models and support vector machines.
#include "ops/families.h"
#include "ops/ml_linear.h"
#include "ops/ml_operands.h"
#include "ops/ml_svm.h"
#include "ops/ml_trees.h"

namespace fettle::ops {

std::span<const OpDef> ml_model_ops() {
  static constexpr OpDef kRows[] = {
      {kMlDomain, "LinearClassifier", 1, infer_linear_classifier, linear_classifier},
      {kMlDomain, "LinearRegressor", 1, infer_linear_regressor, linear_regressor},
      {kMlDomain, "SVMClassifier", 1, infer_svm_classifier, svm_classifier},
      {kMlDomain, "SVMRegressor", 1, infer_svm_regressor, svm_regressor},
      {kMlDomain, "TreeEnsemble", 5, infer_tree_ensemble, tree_ensemble},
      {kMlDomain, "TreeEnsembleClassifier", 1, infer_tree_classifier, tree_classifier},
      {kMlDomain, "TreeEnsembleRegressor", 1, infer_tree_regressor, tree_regressor},
  };
  return kRows;
}

}  // namespace fettle::ops
