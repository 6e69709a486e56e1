#include "interp/broadcast_plan.h"

#include <algorithm>

namespace fettle::interp {
namespace {

// One axis of the output with the operands' strides along it.
struct Axis {
  int64_t extent;
  int64_t a;
  int64_t b;
};

// Extents from the last axis to the first, with ones for missing leading axes.
int64_t extent_from_back(const ir::Dims& dims, size_t i) {
  return i < dims.size() ? dims[dims.size() - 1 - i] : 1;
}

}  // namespace

std::pair<int64_t, int64_t> BroadcastPlan::offsets(int64_t row) const {
  int64_t at_a = 0;
  int64_t at_b = 0;
  for (size_t i = outer.size(); i-- > 0;) {
    const int64_t index = row % outer[i];
    row /= outer[i];
    at_a += index * a_outer[i];
    at_b += index * b_outer[i];
  }
  return {at_a, at_b};
}

std::optional<BroadcastPlan> plan_broadcast(const ir::Dims& a, const ir::Dims& b) {
  BroadcastPlan plan;
  const size_t rank = std::max(a.size(), b.size());
  plan.output.resize(rank);
  std::vector<Axis> axes;  // innermost first, neighbors merged
  int64_t a_stride = 1;
  int64_t b_stride = 1;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t da = extent_from_back(a, i);
    const int64_t db = extent_from_back(b, i);
    if (da != db && da != 1 && db != 1) return std::nullopt;
    const int64_t extent = da == 1 ? db : da;
    plan.output[rank - 1 - i] = extent;
    const Axis axis{extent, da == 1 ? 0 : a_stride, db == 1 ? 0 : b_stride};
    a_stride *= da;
    b_stride *= db;
    if (extent == 1) continue;
    if (!axes.empty() && axis.a == axes.back().a * axes.back().extent &&
        axis.b == axes.back().b * axes.back().extent) {
      axes.back().extent *= extent;
    } else {
      axes.push_back(axis);
    }
  }
  if (!axes.empty()) {
    plan.run = axes.front().extent;
    plan.a_step = axes.front().a;
    plan.b_step = axes.front().b;
    axes.erase(axes.begin());
  }
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    plan.outer.push_back(axis->extent);
    plan.a_outer.push_back(axis->a);
    plan.b_outer.push_back(axis->b);
    plan.rows *= axis->extent;
  }
  const int64_t count = plan.rows * plan.run;
  plan.a_whole = a_stride == count;
  plan.b_whole = b_stride == count;
  const auto fixed = [](const std::vector<int64_t>& steps) {
    return std::all_of(steps.begin(), steps.end(), [](int64_t step) { return step == 0; });
  };
  plan.same_runs = (plan.a_whole || fixed(plan.a_outer)) && (plan.b_whole || fixed(plan.b_outer));
  return plan;
}

}  // namespace fettle::interp
