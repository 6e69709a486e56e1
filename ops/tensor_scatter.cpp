#include "ops/tensor_scatter.h"

#include <algorithm>

#include "ops/element_width.h"
#include "ops/elementwise.h"

namespace fettle::ops {
namespace {

enum class WriteMode { kLinear, kCircular };

WriteMode write_mode(const ir::Node& node) {
  const std::string mode = node.attr_string("mode", "linear");
  if (mode == "linear") return WriteMode::kLinear;
  if (mode == "circular") return WriteMode::kCircular;
  fail(ErrorCode::kBadInput, "attribute mode must be 'linear' or 'circular'; found '{}'", mode);
}

size_t sequence_axis(const ir::Node& node, size_t rank) {
  const int64_t axis = normalized_axis(node.attr_int("axis", -2), static_cast<int64_t>(rank));
  if (axis != 0) return static_cast<size_t>(axis);
  fail(ErrorCode::kBadInput, "attribute axis must not name the batch axis 0");
}

void check_update(const ir::Dims& cache, const ir::Dims& update, size_t axis) {
  ir::Dims wanted = cache;
  if (update.size() == cache.size()) wanted[axis] = std::min(cache[axis], update[axis]);
  if (update == wanted) return;
  fail(ErrorCode::kBadInput,
       "update of shape {} does not fit into a cache of shape {} along axis {}",
       ir::to_string(update), ir::to_string(cache), axis);
}

// Where the update of sample `b` begins along the axis, which has `extent` positions.
int64_t write_index(const ir::Tensor* indices, int64_t b, WriteMode mode, int64_t length,
                    int64_t extent) {
  const int64_t index = indices == nullptr ? 0 : indices->data<int64_t>()[static_cast<size_t>(b)];
  if (mode == WriteMode::kCircular) return ((index % extent) + extent) % extent;
  if (index >= 0 && index <= extent - length) return index;
  fail(ErrorCode::kBadInput, "write index {}: {} positions do not fit into a cache of {}", index,
       length, extent);
}

// A cache [batch, outer, extent, inner] and how many positions the update has.
struct CacheShape {
  int64_t batch, outer, extent, inner, length;
};

template <typename T>
void write_updates(const T* from, const ir::Tensor* indices, WriteMode mode, const CacheShape& s,
                   T* to) {
  for (int64_t b = 0; b < s.batch; ++b) {
    const int64_t first = write_index(indices, b, mode, s.length, s.extent);
    for (int64_t o = 0; o < s.outer; ++o, to += s.extent * s.inner) {
      for (int64_t i = 0; i < s.length; ++i, from += s.inner) {
        std::copy_n(from, s.inner, to + (first + i) % s.extent * s.inner);
      }
    }
  }
}

}  // namespace

void infer_tensor_scatter(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  if (const ir::Shape* cache = ctx.shape(0)) sequence_axis(ctx.node(), cache->size());
  infer_like_input(ctx);
}

void tensor_scatter(KernelContext& ctx) {
  const ir::Tensor& cache = ctx.input(0);
  const ir::Tensor& update = ctx.input(1);
  const ir::Tensor* indices = ctx.optional(2);
  require_same_type(cache, update, "update");
  const WriteMode mode = write_mode(ctx.node());
  const ir::Dims& dims = cache.dims();
  const size_t axis = sequence_axis(ctx.node(), dims.size());
  check_update(dims, update.dims(), axis);
  if (indices != nullptr &&
      (indices->type() != ir::DataType::kInt64 || indices->dims() != ir::Dims{dims[0]})) {
    fail(ErrorCode::kBadInput, "write_indices: expected int64 of shape [{}], found {} of shape {}",
         dims[0], ir::data_type_name(indices->type()), ir::to_string(indices->dims()));
  }
  if (update.size() == 0) return ctx.set_output(0, cache);
  const auto split = dims.begin() + static_cast<int64_t>(axis);
  const CacheShape shape{dims[0], ir::element_count(ir::Dims(dims.begin() + 1, split)), *split,
                         ir::element_count(ir::Dims(split + 1, dims.end())), update.dim(axis)};
  ir::Tensor present = cache;
  with_element(cache.type(), [&]<typename T>(ElementTag<T>) {
    write_updates(elements<T>(update), indices, mode, shape, mutable_elements<T>(present));
  });
  ctx.set_output(0, std::move(present));
}

}  // namespace fettle::ops
