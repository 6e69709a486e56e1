// Chains of element-wise functions, with reductions of the last axis between them, computed in one
// pass over memory.
#pragma once

#include <memory>
#include <vector>

#include "interp/accelerated.h"
#include "interp/float_functions.h"
#include "interp/reduce_loops.h"

namespace fettle::interp {

// One function of a chain. Values are numbered: operands of the kernel first, then the results of
// the instructions in order.
struct Instruction {
  UnaryFunction unary;                             // when `unary.loop` is set
  const BinaryFunction* binary = nullptr;          // else when set
  const Fold<float, double>* reduction = nullptr;  // else: over the last axis, which stays with 1
  int64_t axis = -1;                               // of the reduction; must be the last one
  size_t a = 0;
  size_t b = 0;
};

// The kernel whose output is the result of the last instruction. It declines operands that are not
// float, shapes that are not rows with one number per row or per column besides, and padded
// layouts.
std::unique_ptr<AcceleratedKernel> make_row_program(size_t operands,
                                                    std::vector<Instruction> instructions);

}  // namespace fettle::interp
