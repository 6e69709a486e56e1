// TreeEnsemble, TreeEnsembleClassifier and TreeEnsembleRegressor of ai.onnx.ml.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_tree_classifier(InferContext& context);
void tree_classifier(KernelContext& context);
void infer_tree_regressor(InferContext& context);
void tree_regressor(KernelContext& context);
void infer_tree_ensemble(InferContext& context);
void tree_ensemble(KernelContext& context);

}  // namespace fettle::ops
