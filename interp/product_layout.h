// Where the elements of a float32 matrix product lie, from the dims of its operands.
#pragma once

#include <optional>
#include <vector>

#include "interp/float_product.h"
#include "ir/tensor.h"

namespace fettle::interp {

// How an operand is read: its axes in the order of a Transpose node (empty: as they are), then the
// last two swapped when `swapped`.
struct OperandOrder {
  std::vector<int64_t> perm;
  bool swapped = false;
};

// Steps and extents; the data pointers of `a` and `b` are null. Batch axes that lie as further rows
// of a are rows.
struct ProductLayout {
  LeftMatrix a;
  MatrixView b;
  Batch batch;
  int64_t out_row = 0;
  ir::Dims output;      // dims of the output as it is stored
  bool single = false;  // one matrix, no batch
};

// Nothing when the shapes do not fit, are empty, or have too many axes. The output is what MatMul
// gives, its axes then in the order `out_perm`, which keeps the last one in its place.
std::optional<ProductLayout> product_layout(const ir::Dims& a, const OperandOrder& a_order,
                                            const ir::Dims& b, const OperandOrder& b_order,
                                            const std::vector<int64_t>& out_perm);

}  // namespace fettle::interp
