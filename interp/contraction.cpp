#include "interp/contraction.h"

#include <algorithm>
#include <array>

#include "ops/kernel_context.h"

namespace fettle::interp {
namespace {

enum Side : size_t { kLeft, kRight, kOut };

// A label of more than one index: its step on each side, 0 where it is absent or broadcast.
struct Label {
  int64_t extent = 1;
  std::array<int64_t, 3> step{};
};
using Labels = std::vector<Label>;

// Adds a side's axes to the labels; false when they do not fit or one is repeated.
bool add_side(const std::vector<int>& names, const ir::Dims& dims, Side side, Labels& labels) {
  const std::vector<int64_t> strides = ops::row_major_strides(dims);
  std::vector<bool> seen(labels.size(), false);
  for (size_t a = 0; a < dims.size(); ++a) {
    const auto name = static_cast<size_t>(names[a]);
    if (seen[name] || dims[a] < 1) return false;
    seen[name] = true;
    Label& label = labels[name];
    if (dims[a] == 1) continue;
    if (label.extent != 1 && label.extent != dims[a]) return false;
    label.extent = dims[a];
    label.step[side] = strides[a];
  }
  return true;
}

void sort_by(Labels& labels, Side side) {
  std::stable_sort(labels.begin(), labels.end(), [side](const Label& x, const Label& y) {
    return x.step[side] > y.step[side];
  });
}

// Whether two neighbors are one longer axis on this side.
bool joins(const Label& outer, const Label& inner, Side side) {
  return outer.step[side] == inner.extent * inner.step[side];
}
bool joins(const Label& outer, const Label& inner, std::initializer_list<Side> sides) {
  return std::all_of(sides.begin(), sides.end(),
                     [&](Side side) { return joins(outer, inner, side); });
}
bool all_join(const Labels& labels, Side side) {
  for (size_t i = 1; i < labels.size(); ++i) {
    if (!joins(labels[i - 1], labels[i], side)) return false;
  }
  return true;
}

void join(Labels& labels, std::initializer_list<Side> sides) {
  for (size_t i = labels.size(); i-- > 1;) {
    if (!joins(labels[i - 1], labels[i], sides)) continue;
    labels[i].extent *= labels[i - 1].extent;
    labels.erase(labels.begin() + static_cast<std::ptrdiff_t>(i) - 1);
  }
}

class Planner {
 public:
  explicit Planner(const Labels& labels) {
    for (const Label& label : labels) {
      if (label.extent == 1) continue;
      const bool left = label.step[kLeft] != 0;
      const bool right = label.step[kRight] != 0;
      if (label.step[kOut] == 0) {
        sums_.push_back(label);
      } else {
        (left && right ? batch_ : left ? rows_ : columns_).push_back(label);
      }
    }
    for (Labels* group : {&batch_, &rows_, &columns_}) sort_by(*group, kOut);
  }

  // Multiplies the only operand by a vector of ones; returns its length.
  int64_t multiply_by_ones() {
    sort_by(sums_, kLeft);
    int64_t count = 1;
    for (size_t i = sums_.size(); i-- > 0;) {
      sums_[i].step[kRight] = count;
      count *= sums_[i].extent;
    }
    return count;
  }

  bool plan(Contraction& c) {
    orient(c);
    if (!place_sums(c)) return false;
    if (!columns_.empty() && columns_.back().step[kOut] != 1) {
      c.result = reorder(kOut, {&batch_, &rows_, &columns_});
    }
    take_columns(c);
    take_rows(c);
    return take_batch(c) && worth_calls(c);
  }

 private:
  // Columns of the product have to be neighbors in the output, and a vector is best a row.
  void orient(Contraction& c) {
    const bool by_rows = !rows_.empty() && rows_.back().step[kOut] == 1;
    if (!by_rows && !(columns_.empty() && !rows_.empty())) return;
    c.swapped = true;
    std::swap(rows_, columns_);
    for (Labels* group : {&batch_, &rows_, &columns_, &sums_}) {
      for (Label& label : *group) std::swap(label.step[kLeft], label.step[kRight]);
    }
  }

  // Gives the labels of a side, outermost first, the steps of a dense tensor.
  static Reordered reorder(Side side, std::initializer_list<Labels*> groups) {
    std::vector<Label*> order;
    for (Labels* group : groups) {
      for (Label& label : *group) {
        if (label.step[side] != 0) order.push_back(&label);
      }
    }
    std::vector<BoxAxis> axes(order.size());
    int64_t step = 1;
    for (size_t i = order.size(); i-- > 0;) {
      int64_t& old = order[i]->step[side];
      axes[i] = {order[i]->extent, side == kOut ? step : old, side == kOut ? old : step};
      old = step;
      step *= order[i]->extent;
    }
    return {BoxCopy(sizeof(float), axes), step};
  }

  // The summed labels as one axis of both operands.
  bool place_sums(Contraction& c) {
    sort_by(sums_, kLeft);
    for (const Side side : {kLeft, kRight}) {
      if (all_join(sums_, side)) continue;
      const auto absent = [side](const Label& label) { return label.step[side] == 0; };
      if (std::any_of(sums_.begin(), sums_.end(), absent)) return false;
      if (side == kLeft) {
        c.left = reorder(side, {&batch_, &rows_, &sums_});
      } else {
        c.right = reorder(side, {&batch_, &sums_, &columns_});
      }
    }
    Label sum;
    if (!sums_.empty()) sum = sums_.back();
    for (size_t i = 0; i + 1 < sums_.size(); ++i) sum.extent *= sums_[i].extent;
    c.a.column_step = sum.step[kLeft];
    c.b.rows = sum.extent;
    c.b.row_step = sum.step[kRight];
    return true;
  }

  void take_columns(Contraction& c) {
    join(columns_, {kRight, kOut});
    c.b.columns = 1;
    c.b.column_step = c.b.rows;  // any but 1: a single column is summed where it lies
    if (columns_.empty()) return;
    c.b.columns = columns_.back().extent;
    c.b.column_step = columns_.back().step[kRight];
    columns_.pop_back();
  }

  void take_rows(Contraction& c) {
    join(rows_, {kLeft, kOut});
    c.a.rows = 1;
    if (rows_.empty()) return;
    const auto most = std::max_element(
        rows_.begin(), rows_.end(),
        [](const Label& x, const Label& y) { return x.extent < y.extent; });
    c.a.rows = most->extent;
    c.a.row_step = most->step[kLeft];
    c.out_row = most->step[kOut];
    rows_.erase(most);
  }

  // Rows and columns that are not neighbors are batch axes as well.
  bool take_batch(Contraction& c) {
    batch_.insert(batch_.end(), rows_.begin(), rows_.end());
    batch_.insert(batch_.end(), columns_.begin(), columns_.end());
    sort_by(batch_, kOut);
    join(batch_, {kLeft, kRight, kOut});
    if (batch_.size() > kBatchAxes) return false;
    for (size_t i = 0; i < batch_.size(); ++i) {
      const Label& label = batch_[i];
      c.batch.axes[i] = {label.extent, label.step[kLeft], label.step[kRight], label.step[kOut]};
    }
    c.single = batch_.empty();
    return true;
  }

  static bool worth_calls(const Contraction& c) {
    constexpr int64_t kLeastProducts = 16;
    return c.single || c.a.rows * c.b.rows * c.b.columns >= kLeastProducts;
  }

  Labels batch_, rows_, columns_, sums_;  // outermost first
};

}  // namespace

std::optional<Contraction> plan_contraction(const ops::EinsumEquation& equation,
                                            const std::vector<ir::Dims>& operands) {
  if (operands.empty() || operands.size() > 2) return std::nullopt;
  Labels labels(static_cast<size_t>(equation.labels));
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!add_side(equation.operands[i], operands[i], i == 0 ? kLeft : kRight, labels)) {
      return std::nullopt;
    }
  }
  Contraction c;
  for (const int name : equation.output) {
    c.output.push_back(labels[static_cast<size_t>(name)].extent);
  }
  if (!add_side(equation.output, c.output, kOut, labels)) return std::nullopt;
  Planner planner(labels);
  if (operands.size() == 1) c.ones = planner.multiply_by_ones();
  if (!planner.plan(c)) return std::nullopt;
  return c;
}

}  // namespace fettle::interp
