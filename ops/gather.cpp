// Gather, GatherElements and GatherND.
#include <algorithm>

#include "ops/axes.h"
#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/indexing.h"

namespace fettle::ops {
namespace {

int64_t product(const ir::Dims& dims, size_t begin, size_t end) {
  int64_t total = 1;
  for (size_t k = begin; k < end; ++k) total *= dims[k];
  return total;
}

// Contents of the output when both the data and the indices are small integer lists.
void gather_ints(InferContext& ctx) {
  const auto data = ctx.ints(0);
  const auto indices = ctx.known_ints(1);
  if (!data || !indices) return;
  Ints out;
  for (int64_t i : *indices) {
    const auto count = static_cast<int64_t>(data->size());
    if (i < -count || i >= count) {
      fail(ErrorCode::kBadInput, "index {} is out of range for {} elements", i, count);
    }
    out.push_back((*data)[static_cast<size_t>(i < 0 ? i + count : i)]);
  }
  ctx.set_ints(0, std::move(out));
}

}  // namespace

std::vector<int64_t> checked_indices(const ir::Tensor& indices, int64_t extent) {
  if (indices.type() != ir::DataType::kInt64 && indices.type() != ir::DataType::kInt32) {
    fail(ErrorCode::kBadInput, "expected int32 or int64 indices, found {}",
         ir::data_type_name(indices.type()));
  }
  ir::require_memory(static_cast<size_t>(indices.size()) * sizeof(int64_t));
  std::vector<int64_t> result = ir::elements_as_ints(indices);
  for (int64_t& i : result) {
    if (i < -extent || i >= extent) {
      fail(ErrorCode::kBadInput, "index {} is out of range for an axis of {} elements", i, extent);
    }
    if (i < 0) i += extent;
  }
  return result;
}

void infer_gather(InferContext& ctx) {
  const ir::Shape* data = ctx.shape(0);
  const ir::Shape* indices = ctx.shape(1);
  if (data == nullptr || indices == nullptr) return ctx.set(0, ctx.element(0));
  const auto axis =
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(data->size()));
  ir::Shape out(data->begin(), data->begin() + axis);
  out.insert(out.end(), indices->begin(), indices->end());
  out.insert(out.end(), data->begin() + axis + 1, data->end());
  if (data->size() == 1 && indices->size() <= 1) gather_ints(ctx);
  ctx.set(0, ctx.element(0), std::move(out));
}

void gather(KernelContext& ctx) {
  const ir::Tensor& data = ctx.input(0);
  const ir::Tensor& indices = ctx.input(1);
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(data.rank())));
  const ir::Dims& in = data.dims();
  ir::Dims dims(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), in.begin() + static_cast<std::ptrdiff_t>(axis) + 1, in.end());
  const std::vector<int64_t> picked = checked_indices(indices, in[axis]);
  ir::Tensor& out = ctx.output(0, data.type(), std::move(dims));
  if (out.size() == 0) return;
  const int64_t outer = product(in, 0, axis);
  const int64_t inner = product(in, axis + 1, in.size());
  with_element(data.type(), [&]<typename T>(ElementTag<T>) {
    T* to = mutable_elements<T>(out);
    for (int64_t o = 0; o < outer; ++o) {
      const T* from = elements<T>(data) + o * in[axis] * inner;
      if (inner == 1) {
        for (const int64_t i : picked) *to++ = from[i];
      } else {
        for (const int64_t i : picked) to = std::copy_n(from + i * inner, inner, to);
      }
    }
  });
}

void infer_gather_elements(InferContext& ctx) {
  const ir::Shape* indices = ctx.shape(1);
  ctx.set(0, ctx.element(0), indices != nullptr ? std::optional(*indices) : std::nullopt);
}

void gather_elements(KernelContext& ctx) {
  const ir::Tensor& data = ctx.input(0);
  const ir::Tensor& indices = ctx.input(1);
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(data.rank())));
  if (indices.rank() != data.rank()) {
    fail(ErrorCode::kBadInput, "expected indices of rank {}, found {}", data.rank(),
         indices.rank());
  }
  for (size_t k = 0; k < data.rank(); ++k) {
    if (k != axis && indices.dim(k) > data.dim(k)) {
      fail(ErrorCode::kBadInput, "indices of shape {} reach beyond data of shape {}",
           ir::to_string(indices.dims()), ir::to_string(data.dims()));
    }
  }
  const std::vector<int64_t> picked = checked_indices(indices, data.dim(axis));
  ir::Tensor& out = ctx.output(0, data.type(), indices.dims());
  if (out.size() == 0) return;
  std::vector<int64_t> strides = row_major_strides(data.dims());
  const int64_t axis_stride = strides[axis];
  strides[axis] = 0;
  std::vector<int64_t> at(data.rank(), 0);
  with_element(data.type(), [&]<typename T>(ElementTag<T>) {
    const T* from = elements<T>(data);
    T* to = mutable_elements<T>(out);
    int64_t base = 0;
    for (size_t i = 0; i < picked.size(); ++i) {
      to[i] = from[base + picked[i] * axis_stride];
      for (size_t k = at.size(); k-- > 0;) {
        base += strides[k];
        if (++at[k] < indices.dim(k)) break;
        base -= strides[k] * at[k];
        at[k] = 0;
      }
    }
  });
}

void infer_gather_nd(InferContext& ctx) {
  const ir::Shape* data = ctx.shape(0);
  const ir::Shape* indices = ctx.shape(1);
  const int64_t batch = ctx.opset() < 12 ? 0 : ctx.node().attr_int("batch_dims", 0);
  if (data == nullptr || indices == nullptr || indices->empty() || !indices->back().known()) {
    return ctx.set(0, ctx.element(0));
  }
  const int64_t depth = indices->back().value;
  const auto rank = static_cast<int64_t>(data->size());
  if (batch < 0 || batch >= static_cast<int64_t>(indices->size()) || batch > rank ||
      depth > rank - batch) {
    fail(ErrorCode::kBadInput, "indices of shape {} with batch_dims {} do not fit data of shape {}",
         ir::to_string(*indices), batch, ir::to_string(*data));
  }
  ir::Shape out(indices->begin(), indices->end() - 1);
  out.insert(out.end(), data->begin() + batch + depth, data->end());
  ctx.set(0, ctx.element(0), std::move(out));
}

void gather_nd(KernelContext& ctx) {
  const ir::Tensor& data = ctx.input(0);
  const ir::Tensor& indices = ctx.input(1);
  const int64_t batch = ctx.opset() < 12 ? 0 : ctx.node().attr_int("batch_dims", 0);
  const auto rank = static_cast<int64_t>(data.rank());
  const auto index_rank = static_cast<int64_t>(indices.rank());
  if (index_rank < 1 || batch < 0 || batch >= index_rank || batch > rank ||
      indices.dims().back() > rank - batch || indices.type() != ir::DataType::kInt64 ||
      !std::equal(data.dims().begin(), data.dims().begin() + batch, indices.dims().begin())) {
    fail(ErrorCode::kBadInput, "indices of shape {} with batch_dims {} do not fit data of shape {}",
         ir::to_string(indices.dims()), batch, ir::to_string(data.dims()));
  }
  const int64_t depth = indices.dims().back();
  ir::Dims dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), data.dims().begin() + batch + depth, data.dims().end());
  ir::Tensor& out = ctx.output(0, data.type(), std::move(dims));
  if (out.size() == 0) return;
  const auto strides = row_major_strides(data.dims());
  const int64_t batches = product(data.dims(), 0, static_cast<size_t>(batch));
  const int64_t inner = product(data.dims(), static_cast<size_t>(batch + depth), data.rank());
  const int64_t tuples = out.size() / inner;
  const int64_t batch_size = data.size() / batches;
  const auto tuple_values = indices.data<int64_t>();
  with_element(data.type(), [&]<typename T>(ElementTag<T>) {
    const T* from = elements<T>(data);
    T* to = mutable_elements<T>(out);
    for (int64_t t = 0; t < tuples; ++t) {
      int64_t at = t / (tuples / batches) * batch_size;
      for (int64_t k = 0; k < depth; ++k) {
        const auto axis = static_cast<size_t>(batch + k);
        int64_t i = tuple_values[static_cast<size_t>(t * depth + k)];
        if (i < -data.dim(axis) || i >= data.dim(axis)) {
          fail(ErrorCode::kBadInput, "index {} is out of range for an axis of {} elements", i,
               data.dim(axis));
        }
        at += (i < 0 ? i + data.dim(axis) : i) * strides[axis];
      }
      to = std::copy_n(from + at, inner, to);
    }
  });
}

}  // namespace fettle::ops
