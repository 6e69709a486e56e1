// Cast, CastLike and BitCast.
#include <algorithm>
#include <cctype>
#include <cstring>

#include "ops/cast_tensor.h"
#include "ops/elementwise.h"
#include "ops/families.h"

namespace fettle::ops {
namespace {

ir::DataType type_numbered(int64_t number) {
  const bool fits = number > 0 && number <= std::numeric_limits<int32_t>::max();
  const auto type = fits ? ir::data_type_from_onnx(static_cast<int32_t>(number)) : std::nullopt;
  if (!type) fail(ErrorCode::kUnsupported, "attribute to: unknown element type {}", number);
  return *type;
}

ir::DataType target(const ir::Node& node) {
  return type_numbered(node.attr_int("to", 0));
}

// Version 1 spells the type by name, as in "FLOAT16".
ir::DataType target_by_name(const ir::Node& node) {
  std::string name = node.attr_string("to", "");
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto type = ir::data_type_from_name(name);
  if (!type) fail(ErrorCode::kBadInput, "attribute to: unknown element type '{}'", name);
  return *type;
}

CastOptions options_of(const ir::Node& node) {
  CastOptions options;
  options.saturate = node.attr_int("saturate", 1) != 0;
  const std::string mode = node.attr_string("round_mode", "up");
  if (mode == "down") {
    options.e8m0_rounding = E8m0Rounding::kDown;
  } else if (mode == "nearest") {
    options.e8m0_rounding = E8m0Rounding::kNearest;
  } else if (mode != "up") {
    fail(ErrorCode::kBadInput, "attribute round_mode must be up, down or nearest; found '{}'",
         mode);
  }
  return options;
}

// Integer contents survive a cast between integer types that surely hold sizes.
void infer_to(InferContext& ctx, ir::DataType to) {
  ctx.set(0, to, ctx.shape(0) == nullptr ? std::nullopt : std::optional(*ctx.shape(0)));
  const auto wide = [](ir::DataType type) {
    return type == ir::DataType::kInt64 || type == ir::DataType::kInt32;
  };
  if (!wide(ctx.element(0)) || !wide(to)) return;
  if (auto ints = ctx.ints(0)) ctx.set_ints(0, std::move(*ints));
}

void infer_cast(InferContext& ctx) {
  infer_to(ctx, target(ctx.node()));
}
void infer_cast_1(InferContext& ctx) {
  infer_to(ctx, target_by_name(ctx.node()));
}
void infer_cast_like(InferContext& ctx) {
  infer_to(ctx, ctx.element(1));
}

void cast(KernelContext& ctx) {
  ctx.set_output(0, cast_tensor(ctx.input(0), target(ctx.node()), options_of(ctx.node())));
}

void cast_1(KernelContext& ctx) {
  ctx.set_output(0, cast_tensor(ctx.input(0), target_by_name(ctx.node())));
}

void cast_like(KernelContext& ctx) {
  ctx.set_output(0, cast_tensor(ctx.input(0), ctx.input(1).type(), options_of(ctx.node())));
}

void check_width(ir::DataType from, ir::DataType to) {
  if (from != ir::DataType::kString && ir::data_type_bits(from) == ir::data_type_bits(to)) return;
  fail(ErrorCode::kBadInput, "BitCast needs types of equal width; found {} and {}",
       ir::data_type_name(from), ir::data_type_name(to));
}

void infer_bit_cast(InferContext& ctx) {
  const ir::DataType to = target(ctx.node());
  if (ctx.element(0) != ir::DataType::kUndefined) check_width(ctx.element(0), to);
  ctx.set(0, to, ctx.shape(0) == nullptr ? std::nullopt : std::optional(*ctx.shape(0)));
}

void bit_cast(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  const ir::DataType to = target(ctx.node());
  check_width(x.type(), to);
  ir::Tensor& y = ctx.output(0, to, x.dims());
  if (x.byte_size() > 0) std::memcpy(y.mutable_bytes(), x.bytes(), x.byte_size());
}

constexpr OpDef kRows[] = {
    {"", "Cast", 1, infer_cast_1, cast_1, kElementwise},
    {"", "Cast", 6, infer_cast, cast, kElementwise},
    {"", "CastLike", 15, infer_cast_like, cast_like, kElementwise},
    {"", "BitCast", 26, infer_bit_cast, bit_cast, kElementwise},
};

}  // namespace

std::span<const OpDef> cast_ops() {
  return kRows;
}

}  // namespace fettle::ops
