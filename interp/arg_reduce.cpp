// ArgMax, ArgMin and CumSum of interp/reduce.h.
#include <algorithm>
#include <vector>

#include "interp/parallel.h"
#include "interp/reduce.h"

namespace fettle::interp {
namespace {

using ir::DataType;

// Lines of `length` elements, `inner` apart, `outer` groups of `inner` neighboring ones.
struct Lines {
  int64_t outer = 1;
  int64_t length = 1;
  int64_t inner = 1;
};

// False when the axis is out of range.
bool lines_along(const ir::Dims& dims, int64_t axis, Lines& lines) {
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return false;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t extent = dims[static_cast<size_t>(i)];
    (i < axis ? lines.outer : i == axis ? lines.length : lines.inner) *= extent;
  }
  return true;
}

class ArgExtremum : public AcceleratedKernel {
 public:
  ArgExtremum(int64_t axis, bool keep_dims, bool last, bool least)
      : axis_(axis), keep_dims_(keep_dims), last_(last), least_(least) {}

  bool run(Call& call) override {
    if (call.type(0) != DataType::kFloat) return false;
    const ir::Tensor& x = *call.tensor(0);
    Lines lines;
    if (x.size() == 0 || !lines_along(x.dims(), axis_, lines)) return false;
    ir::Dims dims = x.dims();
    const auto at = dims.begin() + (axis_ < 0 ? axis_ + static_cast<int64_t>(x.rank()) : axis_);
    if (keep_dims_) {
      *at = 1;
    } else {
      dims.erase(at);
    }
    ir::Tensor out(DataType::kInt64, dims);
    const float* from = x.data<float>().data();
    int64_t* to = out.mutable_data<int64_t>().data();
    for_each_row(lines.outer, lines.length * lines.inner * 2, [&](int64_t o) {
      const float* group = from + o * lines.length * lines.inner;
      if (lines.inner == 1) {
        to[o] = scan(group, lines.length);
      } else {
        scan_columns(group, lines, to + o * lines.inner);
      }
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  // The first NaN counts as the extremum (the last one when the last index is wanted).
  bool replaces(float v, float best) const {
    if (best != best) return last_ && v != v;
    if (v != v) return true;
    return (least_ ? v < best : v > best) || (last_ && v == best);
  }

  int64_t scan(const float* x, int64_t n) const {
    float best = x[0];
    int64_t index = 0;
    for (int64_t j = 1; j < n; ++j) {
      if (!replaces(x[j], best)) continue;
      best = x[j];
      index = j;
    }
    return index;
  }

  void scan_columns(const float* x, const Lines& lines, int64_t* to) const {
    std::vector<float> best(x, x + lines.inner);
    std::fill_n(to, lines.inner, 0);
    for (int64_t j = 1; j < lines.length; ++j) {
      const float* row = x + j * lines.inner;
      for (int64_t i = 0; i < lines.inner; ++i) {
        float& held = best[static_cast<size_t>(i)];
        if (!replaces(row[i], held)) continue;
        held = row[i];
        to[i] = j;
      }
    }
  }

  int64_t axis_;
  bool keep_dims_;
  bool last_;
  bool least_;
};

class CumulativeSum : public AcceleratedKernel {
 public:
  CumulativeSum(bool exclusive, bool reverse) : exclusive_(exclusive), reverse_(reverse) {}

  bool run(Call& call) override {
    const ir::Tensor* axis = call.tensor(1);
    if (axis == nullptr || axis->size() != 1 || !ir::is_integer(axis->type())) return false;
    const DataType type = call.type(0);
    if (type == DataType::kFloat) return run_as<float, double>(call, *axis);
    if (type == DataType::kInt64) return run_as<int64_t, uint64_t>(call, *axis);
    return type == DataType::kInt32 && run_as<int32_t, uint64_t>(call, *axis);
  }

 private:
  template <typename T, typename State>
  bool run_as(Call& call, const ir::Tensor& axis) {
    const ir::Tensor& x = *call.tensor(0);
    Lines lines;
    if (!lines_along(x.dims(), ir::element_as_int(axis, 0), lines)) return false;
    ir::Tensor out(x.type(), x.dims());
    const T* from = x.data<T>().data();
    T* to = out.template mutable_data<T>().data();
    const int64_t group = lines.length * lines.inner;
    for_each_row(lines.outer, group * 2, [&](int64_t o) {
      std::vector<State> sums(static_cast<size_t>(lines.inner), State{0});
      for (int64_t step = 0; step < lines.length; ++step) {
        const int64_t j = reverse_ ? lines.length - 1 - step : step;
        const T* row = from + o * group + j * lines.inner;
        T* result = to + o * group + j * lines.inner;
        for (int64_t i = 0; i < lines.inner; ++i) {
          State& sum = sums[static_cast<size_t>(i)];
          const State next = sum + static_cast<State>(row[i]);
          result[i] = static_cast<T>(exclusive_ ? sum : next);
          sum = next;
        }
      }
    });
    call.set(0, std::move(out));
    return true;
  }

  bool exclusive_;
  bool reverse_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_arg_reduction(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  return std::make_unique<ArgExtremum>(node.attr_int("axis", 0), node.attr_int("keepdims", 1) != 0,
                                       node.attr_int("select_last_index", 0) != 0,
                                       node.is("ArgMin"));
}

std::unique_ptr<AcceleratedKernel> accelerate_cumulative_sum(const NodeFacts& facts) {
  return std::make_unique<CumulativeSum>(facts.node->attr_int("exclusive", 0) != 0,
                                         facts.node->attr_int("reverse", 0) != 0);
}

}  // namespace fettle::interp
