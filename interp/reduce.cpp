#include "interp/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "interp/parallel.h"
#include "interp/reduce_loops.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

using ir::DataType;

// Axes of one kind (kept or reduced) from the outermost to the innermost.
struct Axes {
  std::vector<int64_t> extents;
  std::vector<int64_t> strides;
  int64_t count = 1;

  void add(int64_t extent, int64_t stride) {
    extents.push_back(extent);
    strides.push_back(stride);
    count *= extent;
  }
  int64_t offset(int64_t index) const {
    if (extents.size() == 1) return index * strides[0];
    int64_t at = 0;
    for (size_t i = extents.size(); i-- > 0;) {
      at += index % extents[i] * strides[i];
      index /= extents[i];
    }
    return at;
  }
};

// A reduction of a row-major tensor. The innermost axes that are of one kind make the line.
struct Geometry {
  ir::Dims output;
  bool line_reduced = true;
  int64_t line = 1;
  Axes kept;          // besides the line
  Axes reduced;       // besides the line
  int64_t count = 1;  // elements that are folded into one
};

Geometry make_geometry(const ir::Dims& dims, const std::vector<bool>& reduced, bool keep_dims) {
  Geometry g;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (reduced[i]) g.count *= dims[i];
    if (!reduced[i]) g.output.push_back(dims[i]);
    if (reduced[i] && keep_dims) g.output.push_back(1);
  }
  struct Merged {
    int64_t extent;
    bool reduced;
  };
  std::vector<Merged> merged;  // neighbors of one kind joined, axes of one element left out
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    if (!merged.empty() && merged.back().reduced == reduced[i]) {
      merged.back().extent *= dims[i];
    } else {
      merged.push_back({dims[i], reduced[i]});
    }
  }
  if (merged.empty()) return g;
  g.line = merged.back().extent;
  g.line_reduced = merged.back().reduced;
  int64_t stride = g.line;
  std::vector<std::pair<Merged, int64_t>> outer;
  for (size_t i = merged.size() - 1; i-- > 0;) {
    outer.emplace_back(merged[i], stride);
    stride *= merged[i].extent;
  }
  for (auto at = outer.rbegin(); at != outer.rend(); ++at) {
    (at->first.reduced ? g.reduced : g.kept).add(at->first.extent, at->second);
  }
  return g;
}

template <typename T, typename State>
void reduce_lines(const Geometry& g, const Fold<T, State>& fold, const T* x, T* y) {
  for_each_row(g.kept.count, g.count, [&](int64_t i) {
    const T* from = x + g.kept.offset(i);
    State state = fold.initial;
    for (int64_t r = 0; r < g.reduced.count; ++r) {
      state = fold.row(state, from + g.reduced.offset(r), g.line);
    }
    y[i] = fold.finish(state, g.count);
  });
}

template <typename T, typename State>
void reduce_columns(const Geometry& g, const Fold<T, State>& fold, const T* x, T* y) {
  constexpr int64_t kColumns = 256;
  const int64_t parts = (g.line + kColumns - 1) / kColumns;
  const int64_t rows = g.reduced.extents.empty() ? 1 : g.reduced.extents.back();
  const int64_t stride = g.reduced.strides.empty() ? 0 : g.reduced.strides.back();
  for_each_row(g.kept.count * parts, g.count * std::min(g.line, kColumns), [&](int64_t i) {
    const int64_t begin = i % parts * kColumns;
    const int64_t width = std::min(kColumns, g.line - begin);
    const T* from = x + g.kept.offset(i / parts) + begin;
    std::array<State, kColumns> states;
    std::fill_n(states.begin(), width, fold.initial);
    for (int64_t r = 0; r < g.reduced.count; r += rows) {
      fold.columns(states.data(), from + g.reduced.offset(r), width, rows, stride);
    }
    T* to = y + i / parts * g.line + begin;
    for (int64_t j = 0; j < width; ++j) {
      to[j] = fold.finish(states[static_cast<size_t>(j)], g.count);
    }
  });
}

template <typename T, typename State>
void reduce(const Geometry& g, const Fold<T, State>& fold, const T* x, T* y) {
  if (g.line_reduced) {
    reduce_lines(g, fold, x, y);
  } else {
    reduce_columns(g, fold, x, y);
  }
}

// ln of the sum of e^x over contiguous rows, the greatest taken out of the exponents.
void log_sum_exp(const Geometry& g, const float* x, float* y) {
  for_each_row(g.kept.count, g.line * 8, [&](int64_t i) {
    constexpr int64_t kPiece = 1024;
    const float* row = x + g.kept.offset(i);
    const float greatest = max_row(row, g.line);
    const float shift = std::isfinite(greatest) ? greatest : 0.0f;
    std::array<float, kPiece> powers;
    double sum = 0.0;
    for (int64_t at = 0; at < g.line; at += kPiece) {
      sum += exp_shifted_row(row + at, shift, powers.data(), std::min(kPiece, g.line - at));
    }
    y[i] = static_cast<float>(static_cast<double>(shift) + std::log(sum));
  });
}

struct AxesOf {
  bool spatial = false;  // all axes from 2 on
  bool by_operand = false;
  bool noop_when_empty = false;
  std::vector<int64_t> attribute;
};

class Reduction : public AcceleratedKernel {
 public:
  Reduction(const FoldRow* row, AxesOf axes, bool keep_dims)
      : row_(row), axes_(std::move(axes)), keep_dims_(keep_dims) {}

  bool run(Call& call) override {
    const DataType type = call.type(0);
    if (type != DataType::kFloat && type != DataType::kInt32 && type != DataType::kInt64) {
      return false;
    }
    if (!resolve(call)) return false;
    if (call.blocked(0) != nullptr && run_blocked(call)) return true;
    const ir::Tensor& x = *call.tensor(0);
    if (x.size() == 0) return false;
    ir::Tensor out(type, geometry_.output);
    if (!compute(geometry_, type, x.bytes(), out.mutable_bytes())) return false;
    call.set(0, std::move(out));
    return true;
  }

 private:
  // Brings mask_ and geometry_ up to date; false when the axes are not valid or not known.
  bool resolve(Call& call) {
    const ir::Dims& dims = *call.dims(0);
    std::vector<int64_t>& axes = requested_;
    axes.clear();
    if (axes_.spatial) {
      if (dims.size() < 3) return false;
      for (size_t i = 2; i < dims.size(); ++i) axes.push_back(static_cast<int64_t>(i));
    } else if (axes_.by_operand) {
      if (call.has(1)) {
        const ir::Tensor* given = call.tensor(1);
        if (given == nullptr || given->type() != DataType::kInt64 || given->rank() > 1)
          return false;
        const auto values = given->data<int64_t>();
        axes.assign(values.begin(), values.end());
      }
    } else {
      axes = axes_.attribute;
    }
    if (axes.empty() && axes_.noop_when_empty) return false;
    if (known_ && axes == held_axes_ && dims == held_dims_) return true;
    known_ = false;
    mask_.assign(dims.size(), axes.empty());
    for (int64_t axis : axes) {
      const auto rank = static_cast<int64_t>(dims.size());
      if (axis < 0) axis += rank;
      if (axis < 0 || axis >= rank || mask_[static_cast<size_t>(axis)]) return false;
      mask_[static_cast<size_t>(axis)] = true;
    }
    geometry_ = make_geometry(dims, mask_, keep_dims_);
    held_axes_ = axes;
    held_dims_ = dims;
    known_ = true;
    blocked_known_ = false;
    return true;
  }

  // False when the operator has no loop for the type or the form.
  bool compute(const Geometry& g, DataType type, const std::byte* from, std::byte* to) const {
    const auto* x = reinterpret_cast<const float*>(from);
    auto* y = reinterpret_cast<float*>(to);
    if (row_ == nullptr) {
      if (type != DataType::kFloat || !g.line_reduced || g.reduced.count != 1) return false;
      log_sum_exp(g, x, y);
    } else if (type == DataType::kFloat) {
      if (row_->sums != nullptr) {
        reduce(g, *row_->sums, x, y);
      } else {
        reduce(g, *row_->extremes, x, y);
      }
    } else if (type == DataType::kInt32) {
      if (row_->ints == nullptr) return false;
      reduce(g, *row_->ints, reinterpret_cast<const int32_t*>(from),
             reinterpret_cast<int32_t*>(to));
    } else {
      if (row_->longs == nullptr) return false;
      reduce(g, *row_->longs, reinterpret_cast<const int64_t*>(from),
             reinterpret_cast<int64_t*>(to));
    }
    return true;
  }

  // All spatial axes of a tensor whose layout is [N, groups, positions, block].
  bool run_blocked(Call& call) {
    const auto layout = channel_layout(*call.blocked(0));
    if (!layout || call.type(0) != DataType::kFloat || row_ == nullptr) return false;
    for (size_t i = 0; i < mask_.size(); ++i) {
      if (mask_[i] != (i >= 2)) return false;
    }
    if (layout->batch * layout->positions == 0) return false;
    const ir::Dims physical{layout->batch, layout->groups, layout->positions, layout->block};
    if (!blocked_known_ || physical != held_physical_) {
      blocked_geometry_ = make_geometry(physical, {false, false, true, false}, false);
      held_physical_ = physical;
      blocked_known_ = true;
    }
    const int64_t width = layout->groups * layout->block;
    auto storage = ir::Buffer::allocate(static_cast<size_t>(layout->batch * width) * sizeof(float));
    const Geometry& g = blocked_geometry_;
    if (!compute(g, DataType::kFloat, call.blocked(0)->buffer->data(), storage->mutable_data())) {
      return false;
    }
    auto* y = reinterpret_cast<float*>(storage->mutable_data());
    for (int64_t n = 1; n < layout->batch && width != layout->channels; ++n) {
      std::memmove(y + n * layout->channels, y + n * width,
                   static_cast<size_t>(layout->channels) * sizeof(float));
    }
    call.set(0, ir::Tensor(DataType::kFloat, geometry_.output, std::move(storage)));
    return true;
  }

  const FoldRow* row_;  // null for LogSumExp
  AxesOf axes_;
  bool keep_dims_;
  bool known_ = false;
  std::vector<int64_t> requested_;
  std::vector<int64_t> held_axes_;
  ir::Dims held_dims_;
  std::vector<bool> mask_;
  Geometry geometry_;
  bool blocked_known_ = false;
  ir::Dims held_physical_;
  Geometry blocked_geometry_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_reduction(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  const bool log_sum_exp = node.is("ReduceLogSumExp");
  const FoldRow* row = fold_row(node.op_type);
  if (row == nullptr && !log_sum_exp) return nullptr;
  AxesOf axes;
  axes.spatial = node.is("GlobalAveragePool") || node.is("GlobalMaxPool");
  axes.by_operand = facts.opset >= (node.is("ReduceSum") ? 13 : 18);
  if (axes.by_operand) axes.noop_when_empty = node.attr_int("noop_with_empty_axes", 0) != 0;
  if (!axes.by_operand) axes.attribute = node.attr_ints("axes");
  const bool keep_dims = axes.spatial || node.attr_int("keepdims", 1) != 0;
  return std::make_unique<Reduction>(row, std::move(axes), keep_dims);
}

}  // namespace fettle::interp
