// Arithmetic on the known integer contents of small tensors, for shape computations in a graph.
#pragma once

#include <optional>

#include "ops/dims.h"
#include "ops/infer_context.h"

namespace fettle::ops {

// Sets the contents of output 0 to f(a, b), elementwise and broadcast, when operands 0 and 1 have
// int32 or int64 contents that are known in part. f maps two ir::Dim to one.
template <typename F>
void combine_ints(InferContext& ctx, F f) {
  const ir::DataType element = ctx.element(0);
  if (element != ir::DataType::kInt64 && element != ir::DataType::kInt32) return;
  const std::optional<Ints> a = ctx.ints(0);
  const std::optional<Ints> b = ctx.ints(1);
  if (!a || !b || (a->size() != b->size() && a->size() != 1 && b->size() != 1)) return;
  const size_t size = a->size() == 1 ? b->size() : a->size();
  Ints result(size);
  for (size_t i = 0; i < size; ++i) {
    result[i] = f((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
  }
  ctx.set_ints(0, std::move(result));
}

// f applied where both numbers are known, unknown elsewhere. f maps two int64_t to an optional one.
template <typename F>
ir::Dim combine_numbers(const ir::Dim& a, const ir::Dim& b, F f) {
  const auto x = int_value(a);
  const auto y = int_value(b);
  const std::optional<int64_t> z = x && y ? f(*x, *y) : std::nullopt;
  return z ? int_of(*z) : ir::Dim::unknown();
}

}  // namespace fettle::ops
