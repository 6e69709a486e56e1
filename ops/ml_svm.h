// SVMClassifier and SVMRegressor of ai.onnx.ml, as libsvm computes them (Chang and Lin 2011).
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_svm_classifier(InferContext& context);
void svm_classifier(KernelContext& context);
void infer_svm_regressor(InferContext& context);
void svm_regressor(KernelContext& context);

}  // namespace fettle::ops
