// The folds behind interp/reduce.h: over a contiguous row, and over rows into columns.
#pragma once

#include <cstdint>
#include <string_view>

namespace fettle::interp {

template <typename T, typename State>
struct Fold {
  State initial;
  // The fold of `n` elements, started from `state`.
  State (*row)(State state, const T* x, int64_t n);
  // states[j] = fold(states[j], x[j]) for `rows` rows of `n` elements, `stride` apart.
  void (*columns)(State* states, const T* x, int64_t n, int64_t rows, int64_t stride);
  T (*finish)(State state, int64_t count);
};

// How an operator folds each element type; null where it does not take it. Float sums and products
// are in double; integers wrap; a NaN gives NaN.
struct FoldRow {
  std::string_view op;
  const Fold<float, double>* sums = nullptr;  // one of these two for float
  const Fold<float, float>* extremes = nullptr;
  const Fold<int32_t, int64_t>* ints = nullptr;
  const Fold<int64_t, int64_t>* longs = nullptr;
};

// Null when the operator is not a reduction.
const FoldRow* fold_row(std::string_view op);

}  // namespace fettle::interp
