// Shapes of a matrix product with broadcast batch axes, in the form that a primitive wants.
#pragma once

#include <optional>

#include "ir/tensor.h"

namespace fettle::interp {

// A' [batch..., M, K] times B' [batch..., K, N]; both of one rank, batch extents equal or 1. When B
// has no batch axes those of A are folded into M.
struct ProductShape {
  ir::Dims a;
  ir::Dims b;
  ir::Dims product;  // [batch..., M, N]
  ir::Dims output;   // as ONNX defines it
  int64_t m() const { return product[product.size() - 2]; }
  int64_t n() const { return product.back(); }
  int64_t k() const { return a.back(); }
};

// Nothing when the shapes do not fit, are empty, or have more axes than primitives take.
std::optional<ProductShape> product_shape(const ir::Dims& a, const ir::Dims& b);

}  // namespace fettle::interp
