// Arithmetic on symbolic integers, beyond what ops/infer_context.h declares for dimensions.
#pragma once

#include <optional>

#include "ops/infer_context.h"

namespace fettle::ops {

// The contents of integer tensors may be negative, dimensions may not. A negative number is kept in
// an ir::Dim as the expression "-2": make it with int_of() and read it with int_value().
ir::Dim int_of(int64_t value);
// The number when it is one, negative or not; nothing for symbols and unknowns.
std::optional<int64_t> int_value(const ir::Dim& d);
// Whether both surely are, or surely are not, the same number; nothing when that depends.
std::optional<bool> ints_equal(const ir::Dim& a, const ir::Dim& b);
// As dim_add() and its siblings, but negative results are allowed and overflow gives unknown.
// Division by zero throws kBadInput. Quotients round towards minus infinity; symbols cancel as if
// they were not zero.
ir::Dim int_add(const ir::Dim& a, const ir::Dim& b);
ir::Dim int_sub(const ir::Dim& a, const ir::Dim& b);
ir::Dim int_mul(const ir::Dim& a, const ir::Dim& b);
ir::Dim int_floor_div(const ir::Dim& a, const ir::Dim& b);

// Product of shape[begin, end); 1 when empty, 0 when any of them is 0.
ir::Dim dim_product(const ir::Shape& shape, size_t begin, size_t end);
// Broadcast of two extents as far as provable. Throws kBadInput when they surely do not match.
ir::Dim broadcast_dim(const ir::Dim& a, const ir::Dim& b);

}  // namespace fettle::ops
