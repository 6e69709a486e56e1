// Broadcasting of two operands as few nested loops over long runs.
#pragma once

#include <optional>

#include "ir/tensor.h"

namespace fettle::interp {

// Output elements as `rows` runs of `run` elements each. Within a run an operand advances by 0 or 1
// elements; the start of each run is found from the outer axes.
struct BroadcastPlan {
  ir::Dims output;
  ir::Dims outer;                         // extents of the axes outside the run, collapsed
  std::vector<int64_t> a_outer, b_outer;  // strides of the operands along them
  int64_t rows = 1;
  int64_t run = 1;
  int64_t a_step = 1;
  int64_t b_step = 1;

  // Offsets of the operands at the start of run `row`.
  std::pair<int64_t, int64_t> offsets(int64_t row) const;
};

// Nothing when the shapes cannot be broadcast together.
std::optional<BroadcastPlan> plan_broadcast(const ir::Dims& a, const ir::Dims& b);

}  // namespace fettle::interp
