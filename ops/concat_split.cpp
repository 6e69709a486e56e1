// Concat and Split.
#include <algorithm>

#include "ops/axes.h"
#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/movement.h"
#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

int64_t concat_axis(const ir::Node& node, int64_t opset, int64_t rank) {
  if (opset >= 4 && !node.has_attribute("axis")) {
    fail(ErrorCode::kBadInput, "expected the attribute 'axis', found none");
  }
  return normalized_axis(node.attr_int("axis", 1), rank);
}

// Contents of the output when every operand is a list.
void join_ints(InferContext& ctx) {
  Ints joined;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    const auto part = ctx.ints(i);
    const ir::Shape* shape = ctx.shape(i);
    if (!part || shape == nullptr || shape->size() != 1) return;
    joined.insert(joined.end(), part->begin(), part->end());
    if (joined.size() > static_cast<size_t>(kMaxInts)) return;
  }
  ctx.set_ints(0, std::move(joined));
}

// Extents of the parts that an axis of `total` elements is split into when no sizes are given.
std::vector<int64_t> even_parts(int64_t total, int64_t count, bool uneven_allowed) {
  if (!uneven_allowed && total % count != 0) {
    fail(ErrorCode::kBadInput, "an axis of {} cannot be split into {} equal parts", total, count);
  }
  const int64_t part = ceil_div(total, count);
  std::vector<int64_t> sizes;
  for (int64_t rest = total; count-- > 0; rest -= sizes.back()) {
    sizes.push_back(std::min(part, rest));
  }
  return sizes;
}

int64_t part_count(const ir::Node& node, int64_t opset) {
  const auto outputs = static_cast<int64_t>(node.outputs().size());
  const int64_t count = opset >= 18 ? node.attr_int("num_outputs", outputs) : outputs;
  if (count != outputs || count < 1) {
    fail(ErrorCode::kBadInput, "num_outputs is {}, but the node has {} outputs", count, outputs);
  }
  return count;
}

void check_parts(const std::vector<int64_t>& sizes, size_t outputs) {
  if (sizes.size() != outputs) {
    fail(ErrorCode::kBadInput, "expected one size per output ({}), found {}", outputs,
         sizes.size());
  }
  for (const int64_t size : sizes) {
    if (size < 0) fail(ErrorCode::kBadInput, "expected sizes of at least 0, found {}", size);
  }
}

KnownInts known_parts(const InferContext& ctx) {
  if (ctx.has(1)) return known_operand(ctx, 1);
  return ctx.opset() < 13 ? known_attribute(ctx.node(), "split") : KnownInts{true, std::nullopt};
}

ir::Dim even_part(const ir::Dim& total, int64_t index, int64_t count, bool uneven_allowed) {
  if (total.known()) {
    return ir::Dim::of(even_parts(total.value, count, uneven_allowed)[static_cast<size_t>(index)]);
  }
  if (count == 1) return total;
  if (!uneven_allowed) return dim_floor_div(total, ir::Dim::of(count));
  const ir::Dim part = dim_floor_div(dim_add(total, ir::Dim::of(count - 1)), ir::Dim::of(count));
  return index < count - 1 ? part : ir::Dim::unknown();
}

}  // namespace

void infer_concat(InferContext& ctx) {
  ir::DataType element = ir::DataType::kUndefined;
  const ir::Shape* known = nullptr;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    if (ctx.element(i) != ir::DataType::kUndefined) element = ctx.element(i);
    if (ctx.shape(i) != nullptr) known = ctx.shape(i);
  }
  if (known == nullptr) return ctx.set(0, element);
  const size_t rank = known->size();
  const auto axis =
      static_cast<size_t>(concat_axis(ctx.node(), ctx.opset(), static_cast<int64_t>(rank)));
  ir::Shape out(rank);
  out[axis] = ir::Dim::of(0);
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    const ir::Shape* in = ctx.shape(i);
    if (in == nullptr) {
      out[axis] = ir::Dim::unknown();
      continue;
    }
    if (in->size() != rank) {
      fail(ErrorCode::kBadInput, "cannot join tensors of shapes {} and {}", ir::to_string(*known),
           ir::to_string(*in));
    }
    for (size_t k = 0; k < rank; ++k) {
      const ir::Dim& d = (*in)[k];
      if (k == axis) {
        out[k] = dim_add(out[k], d);
      } else if (d.known() && out[k].known() && d.value != out[k].value) {
        fail(ErrorCode::kBadInput,
             "cannot join tensors along axis {}: their axes {} have extents {} "
             "and {}",
             axis, k, out[k].value, d.value);
      } else if (d.known() || !out[k].known()) {
        if (d.known() || d.symbolic()) out[k] = d;
      }
    }
  }
  if (rank == 1) join_ints(ctx);
  ctx.set(0, element, std::move(out));
}

void concat(KernelContext& ctx) {
  if (ctx.input_count() == 0) fail(ErrorCode::kBadInput, "expected at least one input, found none");
  const ir::Tensor& first = ctx.input(0);
  const auto axis =
      static_cast<size_t>(concat_axis(ctx.node(), ctx.opset(), static_cast<int64_t>(first.rank())));
  ir::Dims dims = first.dims();
  for (size_t i = 1; i < ctx.input_count(); ++i) {
    const ir::Tensor& in = ctx.input(i);
    require_same_type(first, in, "Concat");
    bool fits = in.rank() == first.rank();
    for (size_t k = 0; fits && k < dims.size(); ++k) fits = k == axis || in.dim(k) == dims[k];
    if (!fits) {
      fail(ErrorCode::kBadInput, "cannot join tensors of shapes {} and {} along axis {}",
           ir::to_string(first.dims()), ir::to_string(in.dims()), axis);
    }
    dims[axis] = checked_add(dims[axis], in.dim(axis));
  }
  ir::Tensor& out = ctx.output(0, first.type(), dims);
  if (out.size() == 0) return;
  const auto strides = row_major_strides(dims);
  int64_t begin = 0;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    const ir::Tensor& in = ctx.input(i);
    copy_box(in, {0, row_major_strides(in.dims())}, out, {begin * strides[axis], strides},
             in.dims());
    begin += in.dim(axis);
  }
}

void infer_split(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  const size_t count = ctx.output_count();
  if (in == nullptr) {
    for (size_t i = 0; i < count; ++i) ctx.set(i, ctx.element(0));
    return;
  }
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(in->size())));
  const KnownInts parts = known_parts(ctx);
  const auto sizes = parts.numbers();
  if (sizes) check_parts(*sizes, count);
  const int64_t outputs = part_count(ctx.node(), ctx.opset());
  const auto contents = in->size() == 1 ? ctx.ints(0) : std::nullopt;
  size_t begin = 0;
  for (size_t i = 0; i < count; ++i) {
    ir::Shape out = *in;
    if (parts.omitted) {
      out[axis] = even_part((*in)[axis], static_cast<int64_t>(i), outputs, ctx.opset() >= 18);
    } else if (parts.values && parts.values->size() == count) {
      out[axis] = (*parts.values)[i];
    } else {
      out[axis] = ir::Dim::unknown();
    }
    const auto extent = out[axis].known() ? static_cast<size_t>(out[axis].value) : SIZE_MAX;
    if (contents && begin <= contents->size() && extent <= contents->size() - begin) {
      const auto from = contents->begin() + static_cast<std::ptrdiff_t>(begin);
      ctx.set_ints(i, Ints(from, from + static_cast<std::ptrdiff_t>(extent)));
      begin += extent;
    } else {
      begin = SIZE_MAX;
    }
    ctx.set(i, ctx.element(0), std::move(out));
  }
}

void split(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(in.rank())));
  const int64_t count = part_count(ctx.node(), ctx.opset());
  auto given = operand_ints(ctx, 1);
  if (!given && ctx.opset() < 13) given = attribute_ints(ctx.node(), "split");
  const auto sizes = given ? *given : even_parts(in.dim(axis), count, ctx.opset() >= 18);
  check_parts(sizes, ctx.output_count());
  int64_t total = 0;
  for (const int64_t size : sizes) total = checked_add(total, size);
  if (total != in.dim(axis)) {
    fail(ErrorCode::kBadInput, "sizes add up to {}, but axis {} of {} has {}", total, axis,
         ir::to_string(in.dims()), in.dim(axis));
  }
  const auto strides = row_major_strides(in.dims());
  int64_t begin = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    ir::Dims dims = in.dims();
    dims[axis] = sizes[i];
    if (ctx.wants(i)) {
      ir::Tensor& out = ctx.output(i, in.type(), dims);
      if (out.size() > 0) {
        copy_box(in, {begin * strides[axis], strides}, out, {0, row_major_strides(dims)}, dims);
      }
    }
    begin += sizes[i];
  }
}

}  // namespace fettle::ops
