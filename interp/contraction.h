// How a sum of products by named axes (Einsum) becomes products of matrices.
#pragma once

#include <optional>
#include <vector>

#include "interp/box_copy.h"
#include "interp/float_product.h"
#include "ir/tensor.h"
#include "ops/einsum.h"

namespace fettle::interp {

// An operand or the result in another order of axes.
struct Reordered {
  BoxCopy copy;  // from the operand to `elements` elements, or from these to the result
  int64_t elements = 0;
};

// out[labels] = sum over all other labels of x[...] * y[...], as products A * B of matrices for
// each index of the batch. Labels of both operands and the output are batch axes, those of one
// operand and the output are rows or columns, the others are summed.
struct Contraction {
  bool swapped = false;  // A is the second operand
  // Applied to A, B and the result; operands are read where they lie otherwise.
  std::optional<Reordered> left, right, result;
  // Steps and extents in the operands or their copies; data null.
  LeftMatrix a;
  MatrixView b;
  Batch batch;
  int64_t out_row = 0;
  bool single = false;  // one matrix, no batch
  ir::Dims output;
  int64_t ones = 0;  // with one operand: the second is a vector of so many ones
};

// Of one or two operands. Nothing for a label that an operand repeats, empty operands, extents that
// do not fit, sums over several labels of which some are in one of two operands only, matrices too
// small to be worth a call, or too many axes.
std::optional<Contraction> plan_contraction(const ops::EinsumEquation& equation,
                                            const std::vector<ir::Dims>& operands);

}  // namespace fettle::interp
