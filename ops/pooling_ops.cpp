// MaxPool, AveragePool, LpPool and MaxUnpool over any number of spatial axes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/checked.h"
#include "ops/dispatch.h"
#include "ops/families.h"
#include "ops/global_pooling.h"
#include "ops/pool_windows.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

void infer_pool(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  std::optional<ir::Shape> out;
  if (x != nullptr) {
    if (x->size() < 3) {
      fail(ErrorCode::kBadInput, "expected an input of rank >= 3, found {}", ir::to_string(*x));
    }
    const WindowSpec spec = pool_spec(context.node(), x->size() - 2);
    out = ir::Shape{(*x)[0], (*x)[1]};
    for (size_t a = 0; a < spec.rank(); ++a) {
      out->push_back(window_output_dim(spec, a, (*x)[a + 2]));
    }
  }
  context.set(0, context.element(0), out);
  if (context.output_count() > 1) context.set(1, ir::DataType::kInt64, out);
}

// For each spatial offset in row-major order the offset in column-major order (storage_order = 1).
int64_t column_major(int64_t offset, const ir::Dims& input) {
  int64_t result = 0;
  int64_t scale = 1;
  int64_t block = 1;
  for (const int64_t d : input) block *= d;
  for (const int64_t d : input) {
    block /= d;
    result += offset / block * scale;
    offset %= block;
    scale *= d;
  }
  return result;
}

using PoolTypes = decltype(FloatTypes{} + TypeList<int8_t, uint8_t>{});

// The first cell that is larger than all before it, or the first NaN. Windows that lie in the
// padding altogether give the lowest value and index -1.
template <typename T>
void max_of_map(const PoolWindows& windows, const T* x, T* y, int64_t* cells) {
  T best{};
  int64_t where = -1;
  const auto better = [&best](T v) {
    if constexpr (kIsFloating<T>) {
      return static_cast<Work<T>>(v) > static_cast<Work<T>>(best) ||
             (std::isnan(static_cast<Work<T>>(v)) && !std::isnan(static_cast<Work<T>>(best)));
    } else {
      return v > best;
    }
  };
  windows.for_each(
      [&](int64_t, int64_t, int64_t) {
        where = -1;
        if constexpr (kIsFloating<T>) {
          best = narrow<T>(-std::numeric_limits<Work<T>>::infinity());
        } else {
          best = std::numeric_limits<T>::min();
        }
      },
      [&](int64_t offset, int64_t count, int64_t step) {
        for (int64_t i = 0; i < count; ++i, offset += step) {
          if (where >= 0 && !better(x[offset])) continue;
          best = x[offset];
          where = offset;
        }
      },
      [&](int64_t position) {
        y[position] = best;
        if (cells != nullptr) cells[position] = where;
      });
}

void max_pool(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const Window window = pool_window(context.node(), x.dims());
  const ir::Dims dims = pool_output_dims(window, x.dims());
  const bool indices = context.output_count() > 1 && context.wants(1);
  const bool by_column = context.node().attr_int("storage_order", 0) != 0;
  ir::Tensor& y = context.output(0, x.type(), dims);
  int64_t* where =
      indices ? context.output(1, ir::DataType::kInt64, dims).mutable_data<int64_t>().data()
              : nullptr;
  dispatch(PoolTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    if (y.size() == 0) return;
    const PoolWindows windows(window);
    const int64_t in_map = ir::element_count(window.input);
    const int64_t out_map = ir::element_count(window.output);
    const T* in = x.data<T>().data();
    T* out = y.mutable_data<T>().data();
    for (int64_t map = 0; map < y.size() / out_map; ++map) {
      int64_t* cells = indices ? where + map * out_map : nullptr;
      max_of_map(windows, in + map * in_map, out + map * out_map, cells);
      for (int64_t i = 0; indices && i < out_map; ++i) {
        if (cells[i] < 0) continue;
        cells[i] = map * in_map + (by_column ? column_major(cells[i], window.input) : cells[i]);
      }
    }
  });
}

// One output element from its cells: begin() before, add(cell) for each, end(inside, padded) after.
struct AverageRule {
  bool include_pad = false;
  double sum = 0;
  void begin() { sum = 0; }
  void add(double x) { sum += x; }
  double end(int64_t inside, int64_t padded) const {
    const int64_t count = include_pad ? padded : inside;
    return count > 0 ? sum / static_cast<double>(count) : 0.0;
  }
};

struct LpRule {
  double p = 2;
  double sum = 0;
  void begin() { sum = 0; }
  void add(double x) { sum += power_of_magnitude(x, p); }
  double end(int64_t, int64_t) const { return std::pow(sum, 1 / p); }
};

template <typename Rule>
void pool_reals(KernelContext& context, Rule rule) {
  const ir::Tensor& x = context.input(0);
  const Window window = pool_window(context.node(), x.dims());
  ir::Tensor& y = context.output(0, x.type(), pool_output_dims(window, x.dims()));
  if (!is_real(x.type())) {
    fail(ErrorCode::kBadInput, "expected a floating-point input, found {}",
         ir::data_type_name(x.type()));
  }
  if (y.size() == 0) return;
  const PoolWindows windows(window);
  const int64_t in_map = ir::element_count(window.input);
  const int64_t out_map = ir::element_count(window.output);
  ir::Tensor in_scratch = scratch_doubles(in_map);
  ir::Tensor out_scratch = scratch_doubles(out_map);
  double* in = in_scratch.mutable_data<double>().data();
  double* out = out_scratch.mutable_data<double>().data();
  int64_t inside = 0;
  int64_t padded = 0;
  for (int64_t map = 0; map < y.size() / out_map; ++map) {
    load_doubles(x, map * in_map, in_map, in);
    windows.for_each(
        [&](int64_t, int64_t taps_inside, int64_t taps_padded) {
          rule.begin();
          inside = taps_inside;
          padded = taps_padded;
        },
        [&](int64_t offset, int64_t count, int64_t step) {
          for (int64_t i = 0; i < count; ++i) rule.add(in[offset + i * step]);
        },
        [&](int64_t position) { out[position] = rule.end(inside, padded); });
    store_doubles(out, out_map, y, map * out_map);
  }
}

void average_pool(KernelContext& context) {
  pool_reals(context, AverageRule{context.node().attr_int("count_include_pad", 0) != 0});
}

void lp_pool(KernelContext& context) {
  pool_reals(context, LpRule{lp_exponent(context.node())});
}

// Output extents of MaxUnpool before output_shape: (in - 1) * stride - pads + extent.
ir::Dims unpooled_dims(const WindowSpec& spec, const ir::Dims& x) {
  ir::Dims dims = {x[0], x[1]};
  for (size_t a = 0; a < spec.rank(); ++a) {
    const int64_t full = checked_add(
        checked_mul(std::max<int64_t>(x[a + 2] - 1, 0), spec.strides[a]), spec.extent(a));
    const int64_t extent = full - spec.pads_begin[a] - spec.pads_end[a];
    if (extent < 1) {
      fail(ErrorCode::kBadInput, "pads leave an output of extent {} along axis {}", extent, a + 2);
    }
    dims.push_back(extent);
  }
  return dims;
}

void infer_max_unpool(InferContext& context) {
  const ir::DataType element = context.element(0);
  if (context.has(2)) {
    const auto sizes = context.ints(2);
    return context.set(0, element, sizes ? std::optional<ir::Shape>(*sizes) : std::nullopt);
  }
  const ir::Shape* x = context.shape(0);
  const auto dims = x != nullptr ? ir::known_dims(*x) : std::nullopt;
  if (!dims || dims->size() < 3) return context.set(0, element);
  context.set(0, element,
              ir::shape_of(unpooled_dims(pool_spec(context.node(), dims->size() - 2), *dims)));
}

// Element i of X goes to the cell that I[i] numbers in the tensor before output_shape; that tensor
// is the front corner of the output. Everything else is 0.
void max_unpool(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& indices = context.input(1);
  if (x.rank() < 3 || indices.dims() != x.dims() || indices.type() != ir::DataType::kInt64) {
    fail(ErrorCode::kBadInput, "expected int64 indices of the input's shape {}, found {} {}",
         ir::to_string(x.dims()), ir::data_type_name(indices.type()),
         ir::to_string(indices.dims()));
  }
  const ir::Dims inner = unpooled_dims(pool_spec(context.node(), x.rank() - 2), x.dims());
  const int64_t cells = ir::element_count(inner);
  const ir::Dims outer = context.has(2) ? ir::elements_as_ints(context.input(2)) : inner;
  bool fits = outer.size() == inner.size();
  for (size_t a = 0; fits && a < inner.size(); ++a) fits = outer[a] >= inner[a];
  if (!fits) {
    fail(ErrorCode::kBadInput, "output_shape {} is smaller than the unpooled shape {}",
         ir::to_string(outer), ir::to_string(inner));
  }
  const std::vector<int64_t> strides = row_major_strides(outer);
  ir::Tensor& y = context.output(0, x.type(), outer);
  dispatch(PoolTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    const auto where = indices.data<int64_t>();
    const auto to = y.mutable_data<T>();
    std::fill(to.begin(), to.end(), T{});
    for (size_t i = 0; i < from.size(); ++i) {
      int64_t cell = where[i];
      if (cell < 0 || cell >= cells) {
        fail(ErrorCode::kBadInput, "index {} is outside the unpooled shape {}", cell,
             ir::to_string(inner));
      }
      int64_t offset = 0;
      for (size_t a = inner.size(); a-- > 0; cell /= inner[a]) {
        offset += cell % inner[a] * strides[a];
      }
      to[static_cast<size_t>(offset)] = from[i];
    }
  });
}

}  // namespace

std::span<const OpDef> pooling_ops() {
  static constexpr OpDef kRows[] = {
      {.domain = "",
       .name = "AveragePool",
       .since_version = 1,
       .infer = infer_pool,
       .kernel = average_pool},
      {.domain = "",
       .name = "GlobalAveragePool",
       .since_version = 1,
       .infer = infer_global_pool,
       .kernel = global_average_pool},
      {.domain = "",
       .name = "GlobalLpPool",
       .since_version = 1,
       .infer = infer_global_pool,
       .kernel = global_lp_pool},
      {.domain = "",
       .name = "GlobalMaxPool",
       .since_version = 1,
       .infer = infer_global_pool,
       .kernel = global_max_pool},
      {.domain = "", .name = "LpPool", .since_version = 1, .infer = infer_pool, .kernel = lp_pool},
      {.domain = "",
       .name = "MaxPool",
       .since_version = 1,
       .infer = infer_pool,
       .kernel = max_pool},
      {.domain = "",
       .name = "MaxUnpool",
       .since_version = 9,
       .infer = infer_max_unpool,
       .kernel = max_unpool,
       .shape_inputs = 1u << 2},
  };
  return kRows;
}

}  // namespace fettle::ops
