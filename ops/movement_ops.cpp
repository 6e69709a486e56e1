// Operators that place elements elsewhere without changing them: Transpose, Expand, Tile,
// ReverseSequence, Trilu, Compress; and the rows of the whole family.
#include <algorithm>

#include "ops/axes.h"
#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/movement.h"
#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

std::vector<int64_t> permutation(const ir::Node& node, size_t rank) {
  std::vector<int64_t> perm = node.attr_ints("perm");
  if (!node.has_attribute("perm")) {
    for (size_t k = rank; k-- > 0;) perm.push_back(static_cast<int64_t>(k));
    return perm;
  }
  if (perm.size() != rank) {
    fail(ErrorCode::kBadInput, "perm has {} entries, but the tensor has rank {}", perm.size(),
         rank);
  }
  return distinct_axes(perm, static_cast<int64_t>(rank));
}

// Extents of axes before and after `axis`, multiplied.
struct Blocks {
  int64_t outer = 1;
  int64_t inner = 1;
};
Blocks blocks_around(const ir::Dims& dims, size_t first, size_t last) {
  Blocks blocks;
  for (size_t k = 0; k < first; ++k) blocks.outer *= dims[k];
  for (size_t k = last + 1; k < dims.size(); ++k) blocks.inner *= dims[k];
  return blocks;
}

std::vector<int64_t> tile_repeats(const KernelContext& ctx, size_t rank) {
  std::vector<int64_t> repeats;
  if (ctx.opset() >= 6) {
    const auto given = operand_ints(ctx, 1);
    if (!given) fail(ErrorCode::kBadInput, "expected repeats, found none");
    repeats = *given;
  } else {
    const ir::Tensor& tiles = ctx.input(1);
    const ir::Tensor& axis = ctx.input(2);
    if (tiles.size() != 1 || axis.size() != 1) {
      fail(ErrorCode::kBadInput, "expected one tile count and one axis");
    }
    repeats.assign(rank, 1);
    const auto at = truncate_to<int64_t>(ir::element_as_double(axis, 0));
    repeats[static_cast<size_t>(normalized_axis(at, static_cast<int64_t>(rank)))] =
        truncate_to<int64_t>(ir::element_as_double(tiles, 0));
  }
  if (repeats.size() != rank) {
    fail(ErrorCode::kBadInput, "expected {} repeats, found {}", rank, repeats.size());
  }
  for (const int64_t r : repeats) {
    if (r < 0) fail(ErrorCode::kBadInput, "expected repeats of at least 0, found {}", r);
  }
  return repeats;
}

}  // namespace

void infer_transpose(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) return ctx.set(0, ctx.element(0));
  ir::Shape out;
  for (const int64_t from : permutation(ctx.node(), in->size())) {
    out.push_back((*in)[static_cast<size_t>(from)]);
  }
  if (in->size() <= 1) return ctx.set_alias(0, 0);
  ctx.set(0, ctx.element(0), std::move(out));
}

void transpose(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto perm = permutation(ctx.node(), in.rank());
  const auto strides = row_major_strides(in.dims());
  ir::Dims dims;
  Layout from;
  std::vector<int64_t> moved;  // axes that are not trivial, in output order
  for (const int64_t axis : perm) {
    const auto k = static_cast<size_t>(axis);
    dims.push_back(in.dim(k));
    from.strides.push_back(strides[k]);
    if (in.dim(k) != 1) moved.push_back(axis);
  }
  if (std::is_sorted(moved.begin(), moved.end())) return ctx.set_output(0, in.reshaped(dims));
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  copy_box(in, from, out, {0, row_major_strides(dims)}, dims);
}

void infer_expand(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  const auto target = ctx.ints(1);
  if (in == nullptr || !target) return ctx.set(0, ctx.element(0));
  ir::Shape out = broadcast_shapes(*in, *target);
  if (out.size() == 1 && out[0].known() && out[0].value <= kMaxInts) {
    const auto contents = ctx.ints(0);
    if (contents && contents->size() == 1) {
      ctx.set_ints(0, Ints(static_cast<size_t>(out[0].value), contents->front()));
    }
  }
  ctx.set(0, ctx.element(0), std::move(out));
}

void expand(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto target = operand_ints(ctx, 1);
  if (!target) fail(ErrorCode::kBadInput, "expected a shape, found none");
  const ir::Dims dims = broadcast_dims(in.dims(), *target);
  if (dims == in.dims()) return ctx.set_output(0, in);
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  if (out.size() == 0) return;
  copy_box(in, {0, broadcast_strides(in.dims(), dims)}, out, {0, row_major_strides(dims)}, dims);
}

void infer_tile(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) return ctx.set(0, ctx.element(0));
  const auto repeats = ctx.opset() < 6 ? std::nullopt : ctx.ints(1);
  ir::Shape out(in->size());
  if (repeats && repeats->size() == in->size()) {
    for (size_t k = 0; k < out.size(); ++k) out[k] = dim_mul((*in)[k], (*repeats)[k]);
  }
  ctx.set(0, ctx.element(0), std::move(out));
}

void tile(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto repeats = tile_repeats(ctx, in.rank());
  ir::Dims dims = in.dims();
  for (size_t k = 0; k < dims.size(); ++k) dims[k] = checked_mul(dims[k], repeats[k]);
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  if (out.size() == 0) return;
  // Every axis becomes two: the repeat, which stays in place in the input, and the extent.
  const auto from = row_major_strides(in.dims());
  const auto to = row_major_strides(dims);
  Layout source, target;
  ir::Dims extent;
  for (size_t k = 0; k < dims.size(); ++k) {
    extent.insert(extent.end(), {repeats[k], in.dim(k)});
    source.strides.insert(source.strides.end(), {0, from[k]});
    target.strides.insert(target.strides.end(), {to[k] * in.dim(k), to[k]});
  }
  copy_box(in, source, out, target, extent);
}

void infer_reverse_sequence(InferContext& ctx) {
  ctx.set_same(0, 0);
}

void reverse_sequence(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto lengths = operand_ints(ctx, 1);
  const int64_t batch_axis = ctx.node().attr_int("batch_axis", 1);
  const int64_t time_axis = ctx.node().attr_int("time_axis", 0);
  if (in.rank() < 2 || batch_axis + time_axis != 1 || batch_axis * time_axis != 0) {
    fail(ErrorCode::kBadInput,
         "expected rank 2 or more and batch_axis and time_axis 0 and 1, found "
         "rank {}, {} and {}",
         in.rank(), batch_axis, time_axis);
  }
  const int64_t batches = in.dim(static_cast<size_t>(batch_axis));
  const int64_t steps = in.dim(static_cast<size_t>(time_axis));
  if (!lengths || static_cast<int64_t>(lengths->size()) != batches) {
    fail(ErrorCode::kBadInput, "expected {} sequence lengths, found {}", batches,
         lengths ? lengths->size() : 0);
  }
  ir::Tensor& out = ctx.output(0, in.type(), in.dims());
  if (in.size() == 0) return;
  const int64_t inner = blocks_around(in.dims(), 0, 1).inner;
  const int64_t batch_stride = inner * (batch_axis == 0 ? steps : 1);
  const int64_t time_stride = inner * (time_axis == 0 ? batches : 1);
  with_element(in.type(), [&]<typename T>(ElementTag<T>) {
    const T* from = elements<T>(in);
    T* to = mutable_elements<T>(out);
    for (int64_t b = 0; b < batches; ++b) {
      const int64_t length = (*lengths)[static_cast<size_t>(b)];
      if (length < 0 || length > steps) {
        fail(ErrorCode::kBadInput, "expected sequence lengths from 0 to {}, found {}", steps,
             length);
      }
      for (int64_t t = 0; t < steps; ++t) {
        const int64_t source = t < length ? length - 1 - t : t;
        std::copy_n(from + b * batch_stride + source * time_stride, inner,
                    to + b * batch_stride + t * time_stride);
      }
    }
  });
}

void infer_trilu(InferContext& ctx) {
  ctx.set_same(0, 0);
}

void trilu(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  if (in.rank() < 2) fail(ErrorCode::kBadInput, "expected rank 2 or more, found {}", in.rank());
  const bool upper = ctx.node().attr_int("upper", 1) != 0;
  const int64_t rows = in.dim(in.rank() - 2);
  const int64_t columns = in.dim(in.rank() - 1);
  int64_t k = 0;
  if (const ir::Tensor* given = ctx.optional(1)) {
    if (given->size() != 1) fail(ErrorCode::kBadInput, "expected one k, found {}", given->size());
    k = std::clamp(ir::element_as_int(*given, 0), -rows, columns);
  }
  ir::Tensor& out = ctx.output(0, in.type(), in.dims());
  fill_zero(out);
  if (in.size() == 0) return;
  with_element(in.type(), [&]<typename T>(ElementTag<T>) {
    const T* from = elements<T>(in);
    T* to = mutable_elements<T>(out);
    for (int64_t row = 0; row < in.size() / columns; ++row) {
      // The diagonal meets this row before column `first`.
      const int64_t first = std::clamp<int64_t>(row % rows + k + (upper ? 0 : 1), 0, columns);
      const int64_t begin = row * columns + (upper ? first : 0);
      std::copy_n(from + begin, upper ? columns - first : first, to + begin);
    }
  });
}

void infer_compress(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (!ctx.node().has_attribute("axis")) return ctx.set(0, ctx.element(0), ir::Shape(1));
  if (in == nullptr) return ctx.set(0, ctx.element(0));
  ir::Shape out = *in;
  out[static_cast<size_t>(normalized_axis(ctx.node().attr_int("axis", 0),
                                          static_cast<int64_t>(in->size())))] = ir::Dim::unknown();
  ctx.set(0, ctx.element(0), std::move(out));
}

void compress(KernelContext& ctx) {
  const ir::Tensor flat = ctx.input(0).reshaped({ctx.input(0).size()});
  const bool by_axis = ctx.node().has_attribute("axis");
  const ir::Tensor& in = by_axis ? ctx.input(0) : flat;
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(in.rank())));
  const ir::Tensor& condition = ctx.input(1);
  const auto wanted = condition.data<uint8_t>();
  if (condition.rank() != 1 || condition.size() > in.dim(axis)) {
    fail(ErrorCode::kBadInput, "expected a list of at most {} conditions, found shape {}",
         in.dim(axis), ir::to_string(condition.dims()));
  }
  std::vector<int64_t> kept;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] != 0) kept.push_back(static_cast<int64_t>(i));
  }
  ir::Dims dims = in.dims();
  dims[axis] = static_cast<int64_t>(kept.size());
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  if (out.size() == 0) return;
  const Blocks blocks = blocks_around(in.dims(), axis, axis);
  with_element(in.type(), [&]<typename T>(ElementTag<T>) {
    const T* from = elements<T>(in);
    T* to = mutable_elements<T>(out);
    for (int64_t o = 0; o < blocks.outer; ++o) {
      for (const int64_t i : kept) {
        to = std::copy_n(from + (o * in.dim(axis) + i) * blocks.inner, blocks.inner, to);
      }
    }
  });
}

namespace {

constexpr uint32_t kMoves = kDataMovement;
constexpr uint32_t kAll = ~0u;

constexpr OpDef kOps[] = {
    {"", "CenterCropPad", 18, infer_center_crop_pad, by_width<center_crop_pad>, kMoves, 0b10},
    {"", "Compress", 9, infer_compress, by_width<compress>, kMoves},
    {"", "Concat", 1, infer_concat, by_width<concat, kAll>, kMoves},
    {"", "Concat", 4, infer_concat, by_width<concat, kAll>, kMoves},
    {"", "Expand", 8, infer_expand, by_width<expand>, kMoves, 0b10},
    {"", "Pad", 1, infer_pad, by_width<pad>, kMoves},
    {"", "Pad", 2, infer_pad, by_width<pad>, kMoves},
    {"", "Pad", 11, infer_pad, by_width<pad, 0b101>, kMoves, 0b10},
    {"", "Pad", 18, infer_pad, by_width<pad, 0b101>, kMoves, 0b1010},
    {"", "Pad", 19, infer_pad, by_width<pad, 0b101>, kMoves, 0b1010},
    {"", "ReverseSequence", 10, infer_reverse_sequence, by_width<reverse_sequence>, kMoves, 0b10},
    {"", "Slice", 1, infer_slice, by_width<slice>, kMoves},
    {"", "Slice", 10, infer_slice, by_width<slice>, kMoves, 0b11110},
    {"", "Split", 1, infer_split, by_width<split>, kMoves, 0b10},
    {"", "Split", 2, infer_split, by_width<split>, kMoves},
    {"", "Split", 13, infer_split, by_width<split>, kMoves, 0b10},
    {"", "Split", 18, infer_split, by_width<split>, kMoves, 0b10},
    {"", "Tile", 1, infer_tile, by_width<tile>, kMoves, 0b110},
    {"", "Tile", 6, infer_tile, by_width<tile>, kMoves, 0b10},
    {"", "Transpose", 1, infer_transpose, by_width<transpose>, kMoves},
    {"", "Trilu", 14, infer_trilu, by_width<trilu>, kMoves, 0b10},
};

}  // namespace

std::span<const OpDef> movement_ops() {
  return kOps;
}

}  // namespace fettle::ops
