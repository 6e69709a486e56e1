// Shape rules of the Reduce operators.
#pragma once

#include "ops/infer_context.h"

namespace fettle::ops {

void infer_reduction_by_attribute(InferContext& ctx);
void infer_reduction_by_input(InferContext& ctx);
// The same; a product of known sizes also has known contents.
void infer_product_by_attribute(InferContext& ctx);
void infer_product_by_input(InferContext& ctx);
// int64 indices along attribute `axis`.
void infer_arg_reduction(InferContext& ctx);

}  // namespace fettle::ops
