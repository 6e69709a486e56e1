// Scatter, ScatterElements and ScatterND: a copy of the data with updates at given places. Updates
// apply in row-major order of the indices; duplicates with reduction "none" keep the last one.
#include <algorithm>
#include <cmath>

#include "ops/axes.h"
#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/indexing.h"

namespace fettle::ops {
namespace {

enum class Reduction { kNone, kAdd, kMul, kMax, kMin };

Reduction reduction_of(const ir::Node& node, int64_t opset) {
  const std::string name = opset < 16 ? "none" : node.attr_string("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "max" && opset >= 18) return Reduction::kMax;
  if (name == "min" && opset >= 18) return Reduction::kMin;
  fail(ErrorCode::kBadInput,
       "reduction: expected none, add, mul or (from opset 18) max and min, "
       "found '{}'",
       name);
}

template <typename T>
T combined(T a, T b, Reduction reduction) {
  if constexpr (kIsFloating<T>) {
    const auto x = static_cast<double>(a);
    const auto y = static_cast<double>(b);
    switch (reduction) {
      case Reduction::kAdd:
        return narrow<T>(x + y);
      case Reduction::kMul:
        return narrow<T>(x * y);
      case Reduction::kMax:
        return std::isnan(x) || x >= y ? a : b;
      case Reduction::kMin:
        return std::isnan(x) || x <= y ? a : b;
      default:
        return b;
    }
  } else if constexpr (std::is_same_v<T, bool>) {
    return reduction == Reduction::kAdd || reduction == Reduction::kMax ? a || b : a && b;
  } else {
    switch (reduction) {
      case Reduction::kAdd:
        return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
      case Reduction::kMul:
        return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
      case Reduction::kMax:
        return std::max(a, b);
      case Reduction::kMin:
        return std::min(a, b);
      default:
        return b;
    }
  }
}

// Offsets in the output at which runs of updates go.
using Places = std::vector<int64_t>;

// out[places[i] + j] (op)= updates[i * run + j].
void apply_updates(ir::Tensor& out, const ir::Tensor& updates, const Places& places, int64_t run,
                   Reduction reduction) {
  if (reduction == Reduction::kNone) {
    with_element(out.type(), [&]<typename T>(ElementTag<T>) {
      const T* from = elements<T>(updates);
      T* to = mutable_elements<T>(out);
      for (size_t i = 0; i < places.size(); ++i) {
        std::copy_n(from + static_cast<int64_t>(i) * run, run, to + places[i]);
      }
    });
    return;
  }
  dispatch(NumericTypes{} + BoolType{}, out.type(), [&]<typename T>(Tag<T>) {
    const T* from = updates.data<T>().data();
    T* to = out.mutable_data<T>().data();
    for (const int64_t place : places) {
      for (int64_t j = 0; j < run; ++j) to[place + j] = combined(to[place + j], *from++, reduction);
    }
  });
}

void check_updates(const ir::Tensor& data, const ir::Tensor& updates, const ir::Dims& expected) {
  require_same_type(data, updates, "updates");
  if (updates.dims() == expected) return;
  fail(ErrorCode::kBadInput, "expected updates of shape {}, found {}", ir::to_string(expected),
       ir::to_string(updates.dims()));
}

}  // namespace

void scatter_elements(KernelContext& ctx) {
  const ir::Tensor& data = ctx.input(0);
  const ir::Tensor& indices = ctx.input(1);
  const ir::Tensor& updates = ctx.input(2);
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(data.rank())));
  check_updates(data, updates, indices.dims());
  bool fits = indices.rank() == data.rank();
  for (size_t k = 0; fits && k < data.rank(); ++k) {
    fits = k == axis || indices.dim(k) <= data.dim(k);
  }
  if (!fits) {
    fail(ErrorCode::kBadInput, "indices of shape {} do not fit data of shape {}",
         ir::to_string(indices.dims()), ir::to_string(data.dims()));
  }
  Places places = checked_indices(indices, data.dim(axis));
  std::vector<int64_t> strides = row_major_strides(data.dims());
  const int64_t axis_stride = strides[axis];
  strides[axis] = 0;
  std::vector<int64_t> at(data.rank(), 0);
  int64_t base = 0;
  for (int64_t& place : places) {
    place = base + place * axis_stride;
    for (size_t k = at.size(); k-- > 0;) {
      base += strides[k];
      if (++at[k] < indices.dim(k)) break;
      base -= strides[k] * at[k];
      at[k] = 0;
    }
  }
  ir::Tensor out = data;
  if (!places.empty()) {
    apply_updates(out, updates, places, 1, reduction_of(ctx.node(), ctx.opset()));
  }
  ctx.set_output(0, std::move(out));
}

void scatter_nd(KernelContext& ctx) {
  const ir::Tensor& data = ctx.input(0);
  const ir::Tensor& indices = ctx.input(1);
  const ir::Tensor& updates = ctx.input(2);
  if (indices.rank() < 1 || indices.dims().back() > static_cast<int64_t>(data.rank())) {
    fail(ErrorCode::kBadInput, "indices of shape {} do not fit data of shape {}",
         ir::to_string(indices.dims()), ir::to_string(data.dims()));
  }
  const int64_t depth = indices.dims().back();
  ir::Dims expected(indices.dims().begin(), indices.dims().end() - 1);
  const ir::Dims tuple_dims = expected;
  expected.insert(expected.end(), data.dims().begin() + depth, data.dims().end());
  check_updates(data, updates, expected);
  ir::Tensor out = data;
  if (updates.size() > 0) {
    const auto strides = row_major_strides(data.dims());
    const int64_t tuples = ir::element_count(tuple_dims);
    const auto values = indices.data<int64_t>();
    ir::require_memory(static_cast<size_t>(tuples) * sizeof(int64_t));
    Places places(static_cast<size_t>(tuples), 0);
    for (int64_t t = 0; t < tuples; ++t) {
      for (int64_t k = 0; k < depth; ++k) {
        const int64_t extent = data.dim(static_cast<size_t>(k));
        const int64_t i = values[static_cast<size_t>(t * depth + k)];
        if (i < -extent || i >= extent) {
          fail(ErrorCode::kBadInput, "index {} is out of range for an axis of {} elements", i,
               extent);
        }
        places[static_cast<size_t>(t)] +=
            (i < 0 ? i + extent : i) * strides[static_cast<size_t>(k)];
      }
    }
    apply_updates(out, updates, places, updates.size() / tuples,
                  reduction_of(ctx.node(), ctx.opset()));
  }
  ctx.set_output(0, std::move(out));
}

}  // namespace fettle::ops
