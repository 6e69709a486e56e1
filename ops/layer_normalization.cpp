#include "ops/layer_normalization.h"

#include <cmath>
#include <vector>

#include "ops/batch_normalization.h"
#include "ops/cast_tensor.h"
#include "ops/elementwise.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

// X as rows of the normalized length.
struct Rows {
  size_t axis = 0;
  int64_t count = 1;
  int64_t length = 1;
};

Rows rows_of(const ir::Node& node, const ir::Dims& dims) {
  const auto axis = static_cast<size_t>(
      normalized_axis(node.attr_int("axis", -1), static_cast<int64_t>(dims.size())));
  const auto split = dims.begin() + static_cast<int64_t>(axis);
  return {axis, ir::element_count(ir::Dims(dims.begin(), split)),
          ir::element_count(ir::Dims(split, dims.end()))};
}

// An operand broadcast to X: one row for all, or a row of its own for every row of X.
struct Spread {
  std::vector<double> values;
  int64_t row_step = 0;
};

Spread spread(const ir::Tensor& operand, const ir::Dims& x, const Rows& rows) {
  const auto own = static_cast<int64_t>(operand.rank());
  const auto normalized = static_cast<int64_t>(x.size() - rows.axis);
  ir::Dims dims = operand.dims();
  // Leading extents of 1 say nothing.
  while (static_cast<int64_t>(dims.size()) > normalized && dims.front() == 1) {
    dims.erase(dims.begin());
  }
  const bool shared = static_cast<int64_t>(dims.size()) <= normalized;
  const ir::Dims to = shared ? ir::Dims(x.begin() + static_cast<int64_t>(rows.axis), x.end()) : x;
  if (own > static_cast<int64_t>(x.size())) {
    fail(ErrorCode::kBadInput, "shape {} does not broadcast to {}", ir::to_string(operand.dims()),
         ir::to_string(x));
  }
  const std::vector<double> given = parameters(operand, operand.dims(), "scale or bias");
  Spread s;
  s.row_step = shared ? 0 : rows.length;
  s.values = scratch<double>(ir::element_count(to));
  BroadcastLoop<1>(to, {&dims})
      .for_each_run([&](int64_t at, int64_t count, const auto& offsets, const auto& steps) {
        for (int64_t i = 0; i < count; ++i) {
          s.values[static_cast<size_t>(at + i)] =
              given[static_cast<size_t>(offsets[0] + i * steps[0])];
        }
      });
  return s;
}

ir::DataType stash_type(const ir::Node& node) {
  const int64_t number = node.attr_int("stash_type", 1);
  if (number == static_cast<int64_t>(ir::DataType::kFloat)) return ir::DataType::kFloat;
  if (number == static_cast<int64_t>(ir::DataType::kBfloat16)) return ir::DataType::kBfloat16;
  fail(ErrorCode::kBadInput, "attribute stash_type must be 1 (float) or 16 (bfloat16); found {}",
       number);
}

// Shape of Mean and InvStdDev.
ir::Dims statistics_dims(const ir::Dims& x, size_t axis) {
  ir::Dims dims = x;
  for (size_t i = axis; i < dims.size(); ++i) dims[i] = 1;
  return dims;
}

struct RowStatistics {
  double mean = 0;
  double inverse = 0;  // 1 / sqrt(variance + epsilon)
};

template <typename T>
RowStatistics statistics_of(const T* row, int64_t length, double epsilon, bool centered) {
  double sum = 0;
  if (centered) {
    for (int64_t i = 0; i < length; ++i) sum += static_cast<double>(row[i]);
  }
  const double mean = sum / static_cast<double>(length);
  double squares = 0;
  for (int64_t i = 0; i < length; ++i) {
    const double d = static_cast<double>(row[i]) - mean;
    squares += d * d;
  }
  return {mean, 1.0 / std::sqrt(squares / static_cast<double>(length) + epsilon)};
}

// Y = (X - mean) * inverse * scale + bias, row by row; `statistics` gets one entry per row.
template <typename T, typename V>
void normalize_rows(const ir::Tensor& x, ir::Tensor& y, const Rows& rows, const Spread& scale,
                    const Spread* bias, const std::vector<RowStatistics>& statistics) {
  const T* in = x.data<T>().data();
  V* out = y.mutable_data<V>().data();
  for (int64_t r = 0; r < rows.count; ++r) {
    const RowStatistics s = statistics[static_cast<size_t>(r)];
    const double* factor = scale.values.data() + r * scale.row_step;
    const double* offset = bias == nullptr ? nullptr : bias->values.data() + r * bias->row_step;
    for (int64_t i = 0; i < rows.length; ++i) {
      const double value = (static_cast<double>(in[i]) - s.mean) * s.inverse * factor[i];
      out[i] = narrow<V>(offset == nullptr ? value : value + offset[i]);
    }
    in += rows.length;
    out += rows.length;
  }
}

std::vector<RowStatistics> all_statistics(const ir::Tensor& x, const Rows& rows, double epsilon,
                                          bool centered) {
  std::vector<RowStatistics> all = scratch<RowStatistics>(rows.count);
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* in = x.data<T>().data();
    for (int64_t r = 0; r < rows.count; ++r) {
      all[static_cast<size_t>(r)] =
          statistics_of(in + r * rows.length, rows.length, epsilon, centered);
    }
  });
  return all;
}

// One field of all rows as an output of type `type`.
void store(KernelContext& ctx, size_t output, ir::DataType type, const ir::Dims& dims,
           const std::vector<RowStatistics>& all, double RowStatistics::*field) {
  if (output >= ctx.output_count()) return;
  ir::Tensor values(ir::DataType::kDouble, dims);
  auto out = values.mutable_data<double>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = all[i].*field;
  ctx.set_output(output, cast_tensor(values, type));
}

// The same as far as the rule knows.
std::optional<ir::Shape> inferred_statistics(const InferContext& ctx) {
  if (ctx.shape(0) == nullptr) return std::nullopt;
  ir::Shape dims = *ctx.shape(0);
  const auto rank = static_cast<int64_t>(dims.size());
  const int64_t axis = normalized_axis(ctx.node().attr_int("axis", -1), rank);
  for (auto i = static_cast<size_t>(axis); i < dims.size(); ++i) dims[i] = ir::Dim::of(1);
  return dims;
}

}  // namespace

void infer_layer_normalization(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  if (ctx.has(2)) require_same_element(ctx, 0, 2);
  infer_like_input(ctx);
  const ir::DataType stash = stash_type(ctx.node());
  const std::optional<ir::Shape> statistics = inferred_statistics(ctx);
  for (size_t i = 1; i < 3; ++i) ctx.set(i, stash, statistics);
}

void infer_rms_normalization(InferContext& ctx) {
  infer_like_input(ctx);
  if (ctx.shape(0) != nullptr) {
    normalized_axis(ctx.node().attr_int("axis", -1), static_cast<int64_t>(ctx.shape(0)->size()));
  }
  ctx.set(0, ctx.element(1), ctx.shape(0) == nullptr ? std::nullopt : std::optional(*ctx.shape(0)));
  ctx.set(1, stash_type(ctx.node()), inferred_statistics(ctx));
}

void layer_normalization(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  require_same_element(ctx, 0, 1);
  if (ctx.has(2)) require_same_element(ctx, 0, 2);
  const ir::DataType stash = stash_type(ctx.node());
  const Rows rows = rows_of(ctx.node(), x.dims());
  const Spread scale = spread(ctx.input(1), x.dims(), rows);
  const Spread bias = ctx.has(2) ? spread(ctx.input(2), x.dims(), rows) : Spread{};
  const auto statistics = all_statistics(x, rows, epsilon_of(ctx.node()), true);
  ir::Tensor& y = ctx.output(0, x.type(), x.dims());
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    normalize_rows<T, T>(x, y, rows, scale, ctx.has(2) ? &bias : nullptr, statistics);
  });
  const ir::Dims dims = statistics_dims(x.dims(), rows.axis);
  store(ctx, 1, stash, dims, statistics, &RowStatistics::mean);
  store(ctx, 2, stash, dims, statistics, &RowStatistics::inverse);
}

void rms_normalization(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  const ir::DataType stash = stash_type(ctx.node());
  const Rows rows = rows_of(ctx.node(), x.dims());
  const Spread scale = spread(ctx.input(1), x.dims(), rows);
  const auto statistics = all_statistics(x, rows, epsilon_of(ctx.node()), false);
  ir::Tensor& y = ctx.output(0, ctx.input(1).type(), x.dims());
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    dispatch(FloatTypes{}, y.type(), [&]<typename V>(Tag<V>) {
      normalize_rows<T, V>(x, y, rows, scale, nullptr, statistics);
    });
  });
  store(ctx, 1, stash, statistics_dims(x.dims(), rows.axis), statistics, &RowStatistics::inverse);
}

}  // namespace fettle::ops
