// Which axes a reduction folds, and the walk that folds them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/broadcast.h"

namespace fettle::ops {

struct Reduction {
  ir::Dims kept;      // the input's dimensions with 1 in place of every reduced one
  ir::Dims dims;      // those of the output: kept, or without the reduced axes
  int64_t count = 1;  // input elements per output element; may be 0
};

// Throws kBadInput for axes out of range or given twice. An empty list reduces nothing.
Reduction make_reduction(const ir::Dims& dims, const std::vector<int64_t>& axes, bool keep_dims);
// 0, 1, ..., rank - 1.
std::vector<int64_t> all_axes(size_t rank);

// Calls add(states[o], x[i]) for every element i of an input of shape `dims`, in row-major order,
// where o is its place in the output of shape `kept`.
template <typename T, typename State, typename Add>
void fold_elements(const ir::Dims& dims, const ir::Dims& kept, const T* x, State* states, Add add) {
  BroadcastLoop<1>(dims, {&kept})
      .for_each_run([&](int64_t at, int64_t count, const auto& offsets, const auto& steps) {
        const T* in = x + at;
        State* out = states + offsets[0];
        if (steps[0] == 1) {
          for (int64_t i = 0; i < count; ++i) add(out[i], in[i]);
        } else {
          State state = *out;
          for (int64_t i = 0; i < count; ++i) add(state, in[i]);
          *out = state;
        }
      });
}

// Mean and population variance per output element of a reduction, in double.
struct Moments {
  std::vector<double> mean;
  std::vector<double> variance;
};
Moments moments_of(const ir::Tensor& x, const Reduction& reduction);

}  // namespace fettle::ops
