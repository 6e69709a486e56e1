#include "ops/reduction_rules.h"

#include <optional>

#include "ops/dims.h"
#include "ops/kernel_context.h"
#include "ops/reduction.h"

namespace fettle::ops {
namespace {

using MaybeAxes = std::optional<std::vector<int64_t>>;

bool keeps_dims(const InferContext& ctx) {
  return ctx.node().attr_int("keepdims", 1) != 0;
}

std::optional<ir::Shape> reduced_shape(const ir::Shape& shape, const MaybeAxes& axes, bool keep) {
  if (!axes) {
    if (!keep) return std::nullopt;
    return ir::Shape(shape.size());
  }
  std::vector<bool> reduced(shape.size(), false);
  for (const int64_t given : *axes) {
    const auto axis =
        static_cast<size_t>(normalized_axis(given, static_cast<int64_t>(shape.size())));
    if (reduced[axis]) fail(ErrorCode::kBadInput, "axis {} is given twice", given);
    reduced[axis] = true;
  }
  ir::Shape out;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!reduced[i]) out.push_back(shape[i]);
    if (reduced[i] && keep) out.push_back(ir::Dim::of(1));
  }
  return out;
}

// Axes of the reduction when known; nothing reduces no axis only when the list says so.
MaybeAxes attribute_axes(const InferContext& ctx, size_t rank) {
  std::vector<int64_t> axes = ctx.node().attr_ints("axes");
  return axes.empty() ? all_axes(rank) : axes;
}

MaybeAxes input_axes(const InferContext& ctx, size_t rank) {
  MaybeAxes axes = ctx.has(1) ? ctx.known_ints(1) : std::vector<int64_t>{};
  const bool noop = ctx.node().attr_int("noop_with_empty_axes", 0) != 0;
  if (axes && axes->empty() && !noop) return all_axes(rank);
  return axes;
}

using AxesOf = MaybeAxes (*)(const InferContext&, size_t rank);

// The axes, once the rank is known.
MaybeAxes infer_with(InferContext& ctx, AxesOf axes_of) {
  const ir::Shape* shape = ctx.shape(0);
  if (shape == nullptr) {
    ctx.set(0, ctx.element(0));
    return std::nullopt;
  }
  MaybeAxes axes = axes_of(ctx, shape->size());
  ctx.set(0, ctx.element(0), reduced_shape(*shape, axes, keeps_dims(ctx)));
  return axes;
}

void infer_product(InferContext& ctx, AxesOf axes_of) {
  const MaybeAxes axes = infer_with(ctx, axes_of);
  if (!axes || axes->size() != 1 || ctx.shape(0)->size() != 1) return;
  if (ctx.element(0) != ir::DataType::kInt64 && ctx.element(0) != ir::DataType::kInt32) return;
  const std::optional<Ints> sizes = ctx.ints(0);
  if (!sizes) return;
  ir::Dim product = int_of(1);
  for (const ir::Dim& d : *sizes) product = int_mul(product, d);
  ctx.set_ints(0, {product});
}

}  // namespace

void infer_reduction_by_attribute(InferContext& ctx) {
  infer_with(ctx, attribute_axes);
}
void infer_reduction_by_input(InferContext& ctx) {
  infer_with(ctx, input_axes);
}
void infer_product_by_attribute(InferContext& ctx) {
  infer_product(ctx, attribute_axes);
}
void infer_product_by_input(InferContext& ctx) {
  infer_product(ctx, input_axes);
}

void infer_arg_reduction(InferContext& ctx) {
  const ir::Shape* shape = ctx.shape(0);
  const std::vector<int64_t> axes{ctx.node().attr_int("axis", 0)};
  ctx.set(0, ir::DataType::kInt64,
          shape == nullptr ? std::nullopt : reduced_shape(*shape, axes, keeps_dims(ctx)));
}

}  // namespace fettle::ops
