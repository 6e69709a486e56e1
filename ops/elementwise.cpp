#include "ops/elementwise.h"

#include <algorithm>

namespace fettle::ops {
namespace {

void check_same(ir::DataType a, ir::DataType b, size_t i, size_t j) {
  if (a == b || a == ir::DataType::kUndefined || b == ir::DataType::kUndefined) return;
  fail(ErrorCode::kBadInput,
       "inputs {} and {} must have the same element type; found {} and {}; insert a Cast", i, j,
       ir::data_type_name(a), ir::data_type_name(b));
}

// Broadcast shape of all operands, or nothing when a rank is unknown.
std::optional<ir::Shape> joint_shape(const InferContext& ctx) {
  if (ctx.input_count() == 0 || ctx.shape(0) == nullptr) return std::nullopt;
  ir::Shape shape = *ctx.shape(0);
  for (size_t i = 1; i < ctx.input_count(); ++i) {
    if (ctx.shape(i) == nullptr) return std::nullopt;
    shape = broadcast_shapes(shape, *ctx.shape(i));
  }
  return shape;
}

std::optional<ir::Shape> shape_of_input(const InferContext& ctx, size_t i) {
  return ctx.shape(i) == nullptr ? std::nullopt : std::optional(*ctx.shape(i));
}

void check_legacy(const InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  if (ctx.shape(0) == nullptr || ctx.shape(1) == nullptr) return;
  const auto a = ir::known_dims(*ctx.shape(0));
  const auto b = ir::known_dims(*ctx.shape(1));
  if (a && b) legacy_broadcast_dims(ctx.node(), *a, *b);
}

}  // namespace

void require_same_element(const InferContext& ctx, size_t i, size_t j) {
  check_same(ctx.element(i), ctx.element(j), i, j);
}

void require_same_element(const KernelContext& ctx, size_t i, size_t j) {
  check_same(ctx.input(i).type(), ctx.input(j).type(), i, j);
}

void infer_like_input(InferContext& ctx) {
  ctx.set(0, ctx.element(0), shape_of_input(ctx, 0));
}

void infer_predicate(InferContext& ctx) {
  ctx.set(0, ir::DataType::kBool, shape_of_input(ctx, 0));
}

void infer_broadcast(InferContext& ctx) {
  for (size_t i = 1; i < ctx.input_count(); ++i) require_same_element(ctx, 0, i);
  ctx.set(0, ctx.element(0), joint_shape(ctx));
}

void infer_comparison(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  ctx.set(0, ir::DataType::kBool, joint_shape(ctx));
}

ir::Dims legacy_broadcast_dims(const ir::Node& node, const ir::Dims& a, const ir::Dims& b) {
  if (node.attr_int("broadcast", 0) == 0) {
    if (a == b) return b;
    fail(ErrorCode::kBadInput,
         "shapes must be equal without the attribute broadcast=1; found {} and {}",
         ir::to_string(a), ir::to_string(b));
  }
  if (b.size() <= a.size() && ir::element_count(b) == 1) return ir::Dims(b.size(), 1);
  const auto rank = static_cast<int64_t>(a.size());
  const auto own = static_cast<int64_t>(b.size());
  int64_t axis = node.attr_int("axis", rank - own);
  if (axis < 0 && axis >= -rank) axis += rank;
  const bool fits = axis >= 0 && own <= rank && axis <= rank - own;
  const auto spans = [](int64_t d, int64_t extent) { return d == extent || d == 1; };
  if (!fits || !std::equal(b.begin(), b.end(), a.begin() + axis, spans)) {
    fail(ErrorCode::kBadInput, "shape {} is not a contiguous part of {} at axis {}",
         ir::to_string(b), ir::to_string(a), axis);
  }
  ir::Dims dims = b;
  dims.resize(static_cast<size_t>(rank - axis), 1);
  return dims;
}

void infer_legacy_broadcast(InferContext& ctx) {
  check_legacy(ctx);
  infer_like_input(ctx);
}

void infer_legacy_comparison(InferContext& ctx) {
  check_legacy(ctx);
  infer_predicate(ctx);
}

}  // namespace fettle::ops
