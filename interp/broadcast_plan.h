// Broadcasting of two operands as few nested loops over long runs.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "interp/parallel.h"
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
  bool a_whole = true;  // the operand has as many elements as the output
  bool b_whole = true;
  bool same_runs = false;  // operands that are not whole are the same in every run

  // Offsets of the operands at the start of run `row`.
  std::pair<int64_t, int64_t> offsets(int64_t row) const;
};

// Nothing when the shapes cannot be broadcast together.
std::optional<BroadcastPlan> plan_broadcast(const ir::Dims& a, const ir::Dims& b);

// The plan of the last pair of shapes, which is that of the next call as a rule.
class BroadcastCache {
 public:
  // Null when the shapes cannot be broadcast together.
  const BroadcastPlan* get(const ir::Dims& a, const ir::Dims& b) {
    if (!known_ || a != a_ || b != b_) {
      plan_ = plan_broadcast(a, b);
      a_ = a;
      b_ = b;
      known_ = true;
    }
    return plan_ ? &*plan_ : nullptr;
  }

 private:
  bool known_ = false;
  ir::Dims a_;
  ir::Dims b_;
  std::optional<BroadcastPlan> plan_;
};

// One operand of consecutive runs laid out element by element.
template <typename T>
class SpreadRuns {
 public:
  static constexpr int64_t kElements = 512;

  // `count` runs of `run` elements from run `row` on; offset(i) is where run `row + i` starts.
  template <typename Offset>
  const T* fill(const T* from, int64_t step, int64_t run, int64_t count, Offset&& offset) {
    bool same = filled_ >= count;
    for (int64_t i = 0; i < count && same; ++i) same = offset(i) == starts_[static_cast<size_t>(i)];
    if (same) return data_.data();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = offset(i);
      starts_[static_cast<size_t>(i)] = at;
      T* to = data_.data() + i * run;
      for (int64_t j = 0; j < run; ++j) to[j] = from[at + j * step];
    }
    filled_ = count;
    return data_.data();
  }

 private:
  std::array<T, kElements> data_;
  std::array<int64_t, kElements> starts_;
  int64_t filled_ = 0;
};

inline constexpr int64_t kShortRun = 32;

// Runs [first, last) of the plan, several short ones in one go. `loop` is a BinaryLoop over T.
template <typename T, typename Out, typename Loop>
void short_runs(const BroadcastPlan& plan, const T* a, const T* b, Out* y, int64_t first,
                int64_t last, Loop&& loop) {
  SpreadRuns<T> a_runs;
  SpreadRuns<T> b_runs;
  const int64_t together = SpreadRuns<T>::kElements / plan.run;
  std::array<std::pair<int64_t, int64_t>, SpreadRuns<T>::kElements> at;
  if (plan.same_runs) at.fill({0, 0});
  for (int64_t row = first; row < last; row += together) {
    const int64_t count = std::min(together, last - row);
    for (int64_t i = 0; i < count && !plan.same_runs; ++i) {
      at[static_cast<size_t>(i)] = plan.offsets(row + i);
    }
    const auto a_at = [&](int64_t i) { return at[static_cast<size_t>(i)].first; };
    const auto b_at = [&](int64_t i) { return at[static_cast<size_t>(i)].second; };
    const T* left =
        plan.a_whole ? a + row * plan.run : a_runs.fill(a, plan.a_step, plan.run, count, a_at);
    const T* right =
        plan.b_whole ? b + row * plan.run : b_runs.fill(b, plan.b_step, plan.run, count, b_at);
    loop(left, 1, right, 1, y + row * plan.run, count * plan.run);
  }
}

// y = f(a, b) over the whole plan; y may be an operand that is whole. `cost` as for for_chunks().
template <typename T, typename Out, typename Loop>
void broadcast_loop(const BroadcastPlan& plan, const T* a, const T* b, Out* y, int64_t cost,
                    Loop&& loop) {
  if (plan.rows == 1) {
    for_chunks(
        plan.run,
        [&](int64_t begin, int64_t end) {
          loop(a + begin * plan.a_step, plan.a_step, b + begin * plan.b_step, plan.b_step,
               y + begin, end - begin);
        },
        cost);
    return;
  }
  if (plan.run == 0 || plan.rows == 0) return;
  const int64_t group = std::max<int64_t>(1, kChunk / plan.run);  // runs at a time
  const int64_t groups = (plan.rows + group - 1) / group;
  for_each_row(groups, group * plan.run * cost, [&](int64_t g) {
    const int64_t first = g * group;
    const int64_t last = std::min(plan.rows, first + group);
    if (plan.run <= kShortRun) return short_runs(plan, a, b, y, first, last, loop);
    for (int64_t row = first; row < last; ++row) {
      const auto [at_a, at_b] = plan.offsets(row);
      loop(a + at_a, plan.a_step, b + at_b, plan.b_step, y + row * plan.run, plan.run);
    }
  });
}

}  // namespace fettle::interp
