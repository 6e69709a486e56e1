// Operands that hold one integer, such as a length or a step.
#pragma once

#include <string_view>

#include "ops/axes.h"

namespace fettle::ops {

// The integer of an operand with one element. Throws kBadInput for anything else, naming `what`.
inline int64_t scalar_operand(const KernelContext& context, size_t operand, std::string_view what) {
  const auto values = operand_ints(context, operand);
  if (!values || values->size() != 1) {
    fail(ErrorCode::kBadInput, "input {}: expected one integer for {}, found {} elements", operand,
         what, values ? values->size() : 0);
  }
  return values->front();
}

// What a rule knows of that integer: a number, a symbol or nothing.
inline ir::Dim known_scalar(const InferContext& context, size_t operand) {
  const auto values = context.ints(operand);
  if (!values || values->size() != 1) return ir::Dim::unknown();
  return values->front();
}

}  // namespace fettle::ops
