#include "ops/depth_space.h"

#include "ops/checked.h"
#include "ops/element_width.h"
#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

int64_t block_size(const ir::Node& node) {
  const int64_t block = node.attr_int("blocksize", 0);
  if (block < 1 || block > INT32_MAX) {
    fail(ErrorCode::kBadInput, "attribute blocksize: expected in [1, {}], found {}", INT32_MAX,
         block);
  }
  return block;
}

// Offset of pixel (i, j) of a block in the shallow tensor, as one layout over [N, C, H, W] of the
// deep tensor's pixels and the shallow tensor's channels.
Layout shallow_layout(const ir::Dims& dims, int64_t block, int64_t i, int64_t j) {
  const auto s = row_major_strides(dims);
  return {i * s[2] + j, {s[0], s[1], s[2] * block, block}};
}

// The channels (i, j, c) of the deep tensor for c = 0, 1, ...
Layout deep_layout(const ir::Dims& dims, int64_t channels, int64_t block, int64_t i, int64_t j,
                   bool channel_first) {
  const auto s = row_major_strides(dims);
  const int64_t pixel = i * block + j;
  if (channel_first) return {pixel * s[1], {s[0], block * block * s[1], s[2], 1}};
  return {pixel * channels * s[1], {s[0], s[1], s[2], 1}};
}

void require_rank_4(const ir::Dims& dims) {
  if (dims.size() != 4) {
    fail(ErrorCode::kBadInput, "expected an input of rank 4, found shape {}", ir::to_string(dims));
  }
}

void move_depth_to_space(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  require_rank_4(x.dims());
  const int64_t b = block_size(context.node());
  const std::string mode = context.node().attr_string("mode", "DCR");
  if ((mode != "DCR" && mode != "CRD") || x.dim(1) % (b * b) != 0) {
    fail(ErrorCode::kBadInput, "{} channels cannot be spread over blocks of {} by {} (mode '{}')",
         x.dim(1), b, b, mode);
  }
  const int64_t channels = x.dim(1) / (b * b);
  ir::Tensor& y = context.output(
      0, x.type(), {x.dim(0), channels, checked_mul(x.dim(2), b), checked_mul(x.dim(3), b)});
  if (y.size() == 0) return;
  for (int64_t i = 0; i < b; ++i) {
    for (int64_t j = 0; j < b; ++j) {
      copy_box(x, deep_layout(x.dims(), channels, b, i, j, mode == "CRD"), y,
               shallow_layout(y.dims(), b, i, j), {x.dim(0), channels, x.dim(2), x.dim(3)});
    }
  }
}

void move_space_to_depth(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  require_rank_4(x.dims());
  const int64_t b = block_size(context.node());
  if (x.dim(2) % b != 0 || x.dim(3) % b != 0) {
    fail(ErrorCode::kBadInput, "shape {} cannot be divided into blocks of {} by {}",
         ir::to_string(x.dims()), b, b);
  }
  ir::Tensor& y = context.output(
      0, x.type(), {x.dim(0), checked_mul(x.dim(1), b * b), x.dim(2) / b, x.dim(3) / b});
  if (y.size() == 0) return;
  for (int64_t i = 0; i < b; ++i) {
    for (int64_t j = 0; j < b; ++j) {
      copy_box(x, shallow_layout(x.dims(), b, i, j), y,
               deep_layout(y.dims(), x.dim(1), b, i, j, false),
               {x.dim(0), x.dim(1), y.dim(2), y.dim(3)});
    }
  }
}

const ir::Shape* known_rank_4(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) {
    context.set(0, context.element(0));
  } else if (x->size() != 4) {
    fail(ErrorCode::kBadInput, "expected an input of rank 4, found {}", ir::to_string(*x));
  }
  return x;
}

}  // namespace

void depth_to_space(KernelContext& context) {
  by_width<move_depth_to_space>(context);
}
void space_to_depth(KernelContext& context) {
  by_width<move_space_to_depth>(context);
}

void infer_depth_to_space(InferContext& context) {
  const ir::Shape* x = known_rank_4(context);
  if (x == nullptr) return;
  const ir::Dim b = ir::Dim::of(block_size(context.node()));
  context.set(0, context.element(0),
              ir::Shape{(*x)[0], dim_floor_div((*x)[1], dim_mul(b, b)), dim_mul((*x)[2], b),
                        dim_mul((*x)[3], b)});
}

void infer_space_to_depth(InferContext& context) {
  const ir::Shape* x = known_rank_4(context);
  if (x == nullptr) return;
  const ir::Dim b = ir::Dim::of(block_size(context.node()));
  context.set(0, context.element(0),
              ir::Shape{(*x)[0], dim_mul((*x)[1], dim_mul(b, b)), dim_floor_div((*x)[2], b),
                        dim_floor_div((*x)[3], b)});
}

}  // namespace fettle::ops
