// LinearClassifier and LinearRegressor of ai.onnx.ml.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

void infer_linear_classifier(InferContext& context);
void linear_classifier(KernelContext& context);
void infer_linear_regressor(InferContext& context);
void linear_regressor(KernelContext& context);

}  // namespace fettle::ops
