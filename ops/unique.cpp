// Unique: the distinct elements of a tensor, or its distinct slices along an axis.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/axes.h"
#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/indexing.h"
#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

// -1, 0 or 1; NaN comes after everything else and equals itself.
template <typename T>
int compare(const T& a, const T& b) {
  if constexpr (kIsFloating<T>) {
    const auto x = static_cast<double>(a);
    const auto y = static_cast<double>(b);
    if (std::isnan(x) || std::isnan(y)) return static_cast<int>(std::isnan(x)) - std::isnan(y);
    return x < y ? -1 : x > y ? 1 : 0;
  } else {
    return a < b ? -1 : b < a ? 1 : 0;
  }
}

// Groups of equal rows: for every row its group, and for every group its first row and its size.
struct Groups {
  std::vector<int64_t> of_row;
  std::vector<int64_t> first;
  std::vector<int64_t> count;
};

template <typename T>
Groups grouped(const T* data, int64_t rows, int64_t width, bool sorted) {
  const auto order_of = [&](int64_t a, int64_t b) {
    for (int64_t j = 0; j < width; ++j) {
      const int order = compare(data[a * width + j], data[b * width + j]);
      if (order != 0) return order;
    }
    return 0;
  };
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const int c = order_of(a, b);
    return c != 0 ? c < 0 : a < b;
  });
  Groups groups;
  groups.of_row.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || order_of(order[i - 1], order[i]) != 0) {
      groups.first.push_back(order[i]);
      groups.count.push_back(0);
    }
    ++groups.count.back();
    groups.of_row[static_cast<size_t>(order[i])] = static_cast<int64_t>(groups.first.size()) - 1;
  }
  if (sorted) return groups;
  // By first occurrence instead.
  std::vector<size_t> rank(groups.first.size());
  std::iota(rank.begin(), rank.end(), size_t{0});
  std::sort(rank.begin(), rank.end(),
            [&](size_t a, size_t b) { return groups.first[a] < groups.first[b]; });
  Groups renumbered = groups;
  std::vector<int64_t> number(rank.size());
  for (size_t i = 0; i < rank.size(); ++i) {
    renumbered.first[i] = groups.first[rank[i]];
    renumbered.count[i] = groups.count[rank[i]];
    number[rank[i]] = static_cast<int64_t>(i);
  }
  for (int64_t& g : renumbered.of_row) g = number[static_cast<size_t>(g)];
  return renumbered;
}

Groups grouped(const ir::Tensor& rows, int64_t count, bool sorted) {
  const int64_t width = count == 0 ? 0 : rows.size() / count;
  ir::require_memory(static_cast<size_t>(count) * 4 * sizeof(int64_t));
  if (rows.type() == ir::DataType::kString) {
    return grouped(rows.strings().data(), count, width, sorted);
  }
  Groups groups;
  dispatch(NumericTypes{} + BoolType{}, rows.type(), [&]<typename T>(Tag<T>) {
    groups = grouped(rows.data<T>().data(), count, width, sorted);
  });
  return groups;
}

// The tensor with `axis` in front.
ir::Tensor axis_first(const ir::Tensor& in, size_t axis) {
  ir::Dims dims = in.dims();
  auto strides = row_major_strides(dims);
  const auto at = static_cast<std::ptrdiff_t>(axis);
  std::rotate(dims.begin(), dims.begin() + at, dims.begin() + at + 1);
  std::rotate(strides.begin(), strides.begin() + at, strides.begin() + at + 1);
  ir::Tensor out(in.type(), dims);
  copy_box(in, {0, strides}, out, {0, row_major_strides(dims)}, dims);
  return out;
}

}  // namespace

void infer_unique(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  for (size_t i = 1; i < ctx.output_count(); ++i) {
    ctx.set(i, ir::DataType::kInt64, ir::Shape(1));
  }
  if (!ctx.node().has_attribute("axis")) return ctx.set(0, ctx.element(0), ir::Shape(1));
  if (in == nullptr) return ctx.set(0, ctx.element(0));
  ir::Shape out = *in;
  out[static_cast<size_t>(normalized_axis(ctx.node().attr_int("axis", 0),
                                          static_cast<int64_t>(in->size())))] = ir::Dim::unknown();
  ctx.set(0, ctx.element(0), std::move(out));
}

void unique(KernelContext& ctx) {
  const ir::Tensor& given = ctx.input(0);
  if (ir::is_sub_byte(given.type())) {
    fail(ErrorCode::kUnsupported, "expected elements of at least one byte, found {}",
         ir::data_type_name(given.type()));
  }
  const bool by_axis = ctx.node().has_attribute("axis");
  const ir::Tensor in = by_axis ? given : given.reshaped({given.size()});
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(in.rank())));
  const ir::Tensor rows = axis_first(in, axis);
  const Groups groups = grouped(rows, in.dim(axis), ctx.node().attr_int("sorted", 1) != 0);
  const auto count = static_cast<int64_t>(groups.first.size());
  ir::Dims dims = in.dims();
  dims[axis] = count;
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  if (out.size() > 0) {
    const auto from = row_major_strides(in.dims());
    const auto to = row_major_strides(dims);
    ir::Dims slice = dims;
    slice[axis] = 1;
    for (int64_t g = 0; g < count; ++g) {
      copy_box(in, {groups.first[static_cast<size_t>(g)] * from[axis], from}, out,
               {g * to[axis], to}, slice);
    }
  }
  const auto set = [&ctx](size_t i, const std::vector<int64_t>& values) {
    if (!ctx.wants(i)) return;
    ctx.set_output(i, ir::Tensor::of({static_cast<int64_t>(values.size())}, values));
  };
  set(1, groups.first);
  set(2, groups.of_row);
  set(3, groups.count);
}

}  // namespace fettle::ops
