// MaxPool of row-major float tensors, for which oneDNN has no fast primitive.
#pragma once

#include "ir/tensor.h"
#include "ops/window.h"

namespace fettle::interp {

// `x` is [N, C, spatial...] with 1 to 3 spatial axes and `window` resolved for it; every window
// reaches into the input. A NaN in a window gives NaN.
ir::Tensor plain_max_pool(const ir::Tensor& x, const ops::Window& window);

}  // namespace fettle::interp
