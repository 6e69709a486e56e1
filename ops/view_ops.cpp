// Operators whose output holds the elements of the input in the same order: Reshape, Flatten,
// Squeeze, Unsqueeze, Identity and (in inference) Dropout.
#include <algorithm>

#include "ops/axes.h"
#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/families.h"
#include "ops/random.h"

namespace fettle::ops {
namespace {

// Contents pass through when the output still is a scalar or a list.
void pass_ints(InferContext& ctx, const ir::Shape& out) {
  if (out.size() > 1 || !ctx.has(0)) return;
  if (const auto ints = ctx.ints(0)) ctx.set_ints(0, *ints);
}

void set_view(InferContext& ctx, ir::Shape out) {
  pass_ints(ctx, out);
  ctx.set(0, ctx.element(0), std::move(out));
}

// --- Reshape ---------------------------------------------------------------------------------

bool allows_zero(const ir::Node& node, int64_t opset) {
  return opset >= 14 && node.attr_int("allowzero", 0) != 0;
}

// Extent of the one entry of the target that is -1 or unknown: all elements of the input over the
// product of the other entries. Entries that copy an input axis cancel against it.
ir::Dim remaining_extent(const ir::Shape& in, const ir::Shape& out, size_t open,
                         const std::vector<bool>& copied) {
  ir::Shape above;
  for (size_t i = 0; i < in.size(); ++i) {
    if (i >= copied.size() || !copied[i]) above.push_back(in[i]);
  }
  ir::Shape below;
  for (size_t i = 0; i < out.size(); ++i) {
    if (i != open && !copied[i]) below.push_back(out[i]);
  }
  const ir::Dim total = dim_product(above, 0, above.size());
  const ir::Dim rest = dim_product(below, 0, below.size());
  if (rest.value == 0) return ir::Dim::unknown();
  if (total.known() && rest.known() && total.value % rest.value != 0) {
    fail(ErrorCode::kBadInput, "{} elements do not divide into rows of {}", total.value,
         rest.value);
  }
  return dim_floor_div(total, rest);
}

void infer_reshape(InferContext& ctx) {
  const KnownInts target =
      ctx.opset() < 5 ? known_attribute(ctx.node(), "shape") : known_operand(ctx, 1);
  if (!target.values) return ctx.set(0, ctx.element(0));
  const ir::Shape* in = ctx.shape(0);
  const bool keep_zero = allows_zero(ctx.node(), ctx.opset());
  const Ints& wanted = *target.values;
  ir::Shape out(wanted.size());
  std::vector<bool> copied(wanted.size(), false);
  std::vector<size_t> open;  // entries still to be found: -1 or unknown
  size_t inferred = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto value = int_value(wanted[i]);
    if (value && *value == 0 && !keep_zero) {
      if (in != nullptr && i >= in->size()) {
        fail(ErrorCode::kBadInput, "entry {} of the new shape copies an axis that {} does not have",
             i, ir::to_string(*in));
      }
      copied[i] = true;
      out[i] = in != nullptr ? (*in)[i] : ir::Dim::unknown();
    } else if (value && *value < 0) {
      if (*value != -1 || ++inferred > 1) {
        fail(ErrorCode::kBadInput,
             "expected at most one -1 and no other negative number in the "
             "new shape, found {}",
             *value);
      }
      open.push_back(i);
    } else if (!value && !wanted[i].symbolic()) {
      open.push_back(i);
    } else {
      out[i] = wanted[i];
    }
  }
  if (in != nullptr && open.size() == 1) {
    out[open[0]] = remaining_extent(*in, out, open[0], copied);
  }
  set_view(ctx, std::move(out));
}

void reshape(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto target = ctx.opset() < 5 ? attribute_ints(ctx.node(), "shape") : operand_ints(ctx, 1);
  if (!target) fail(ErrorCode::kBadInput, "expected a new shape, found none");
  const bool keep_zero = allows_zero(ctx.node(), ctx.opset());
  ir::Dims dims = *target;
  int64_t rest = 1;
  std::optional<size_t> open;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !keep_zero) {
      if (i >= in.rank()) {
        fail(ErrorCode::kBadInput, "shape {}: entry {} copies an axis that {} does not have",
             ir::to_string(*target), i, ir::to_string(in.dims()));
      }
      dims[i] = in.dim(i);
    }
    if (dims[i] < -1 || (dims[i] == -1 && open)) {
      fail(ErrorCode::kBadInput, "shape {} must have at most one -1 and no other negative number",
           ir::to_string(*target));
    }
    if (dims[i] == -1) {
      open = i;
    } else {
      rest = checked_mul(rest, dims[i]);
    }
  }
  if (open) {
    if (rest == 0 || in.size() % rest != 0) {
      fail(ErrorCode::kBadInput, "a tensor of shape {} cannot be reshaped to {}",
           ir::to_string(in.dims()), ir::to_string(*target));
    }
    dims[*open] = in.size() / rest;
  }
  ctx.set_output(0, in.reshaped(std::move(dims)));
}

// --- Flatten, Squeeze, Unsqueeze -------------------------------------------------------------

int64_t flatten_axis(const ir::Node& node, int64_t rank) {
  const int64_t axis = node.attr_int("axis", 1);
  if (axis < -rank || axis > rank) {
    fail(ErrorCode::kBadInput, "axis {} is out of range for a tensor of rank {}", axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

void infer_flatten(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) return ctx.set(0, ctx.element(0), ir::Shape(2));
  const auto axis = static_cast<size_t>(flatten_axis(ctx.node(), static_cast<int64_t>(in->size())));
  ctx.set(0, ctx.element(0),
          ir::Shape{dim_product(*in, 0, axis), dim_product(*in, axis, in->size())});
}

void flatten(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const int64_t axis = flatten_axis(ctx.node(), static_cast<int64_t>(in.rank()));
  const ir::Dims& d = in.dims();
  ctx.set_output(0, in.reshaped({ir::element_count(ir::Dims(d.begin(), d.begin() + axis)),
                                 ir::element_count(ir::Dims(d.begin() + axis, d.end()))}));
}

bool named(const std::vector<int64_t>& axes, size_t axis) {
  return std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
}

// An absent or empty list of axes means all of extent 1.
void infer_squeeze(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  const KnownInts given =
      ctx.opset() < 13 ? known_attribute(ctx.node(), "axes") : known_operand(ctx, 1);
  const auto numbers = given.numbers();
  const bool all = given.omitted || (numbers && numbers->empty());
  if (in == nullptr || (!all && !given.values)) return ctx.set(0, ctx.element(0));
  if (!all && !numbers) {
    const size_t taken = std::min(given.values->size(), in->size());
    return ctx.set(0, ctx.element(0), ir::Shape(in->size() - taken));
  }
  std::vector<int64_t> axes;
  if (!all) axes = normalized_axes(*numbers, static_cast<int64_t>(in->size()));
  ir::Shape out;
  for (size_t i = 0; i < in->size(); ++i) {
    const ir::Dim& d = (*in)[i];
    if (all && !d.known()) return ctx.set(0, ctx.element(0));
    if (all ? d.value != 1 : !named(axes, i)) {
      out.push_back(d);
    } else if (d.known() && d.value != 1) {
      fail(ErrorCode::kBadInput, "axis {} of {} cannot be squeezed: expected extent 1", i,
           ir::to_string(*in));
    }
  }
  set_view(ctx, std::move(out));
}

void squeeze(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto given = ctx.opset() < 13 ? attribute_ints(ctx.node(), "axes") : operand_ints(ctx, 1);
  const bool all = !given || given->empty();
  std::vector<int64_t> axes;
  if (!all) axes = normalized_axes(*given, static_cast<int64_t>(in.rank()));
  ir::Dims dims;
  for (size_t i = 0; i < in.rank(); ++i) {
    if (all ? in.dim(i) != 1 : !named(axes, i)) {
      dims.push_back(in.dim(i));
    } else if (in.dim(i) != 1) {
      fail(ErrorCode::kBadInput, "axis {} of {} cannot be squeezed: expected extent 1", i,
           ir::to_string(in.dims()));
    }
  }
  ctx.set_output(0, in.reshaped(std::move(dims)));
}

// Extents of the output: `one` at the new axes, the input's at the others.
template <typename Extents, typename Extent>
Extents unsqueezed(const Extents& in, const std::vector<int64_t>& given, const Extent& one) {
  const size_t rank = in.size() + given.size();
  const auto axes = distinct_axes(given, static_cast<int64_t>(rank));
  Extents out;
  size_t next = 0;
  for (size_t i = 0; i < rank; ++i) out.push_back(named(axes, i) ? one : in[next++]);
  return out;
}

void infer_unsqueeze(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  const KnownInts given =
      ctx.opset() < 13 ? known_attribute(ctx.node(), "axes") : known_operand(ctx, 1);
  const auto axes = given.numbers();
  if (in == nullptr || !given.values) return ctx.set(0, ctx.element(0));
  if (!axes) return ctx.set(0, ctx.element(0), ir::Shape(in->size() + given.values->size()));
  set_view(ctx, unsqueezed(*in, *axes, ir::Dim::of(1)));
}

void unsqueeze(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const auto given = ctx.opset() < 13 ? attribute_ints(ctx.node(), "axes") : operand_ints(ctx, 1);
  if (!given) fail(ErrorCode::kBadInput, "expected axes to insert, found none");
  ctx.set_output(0, in.reshaped(unsqueezed(in.dims(), *given, int64_t{1})));
}

// --- Identity, Dropout -----------------------------------------------------------------------

void infer_identity(InferContext& ctx) {
  ctx.set_alias(0, 0);
}
void identity(KernelContext& ctx) {
  ctx.set_output(0, ctx.value(0));
}

bool trains(const KernelContext& ctx) {
  if (ctx.opset() < 12 || !ctx.has(2)) return false;
  const ir::Tensor& flag = ctx.input(2);
  return flag.size() == 1 && ir::element_as_int(flag, 0) != 0;
}

ir::DataType mask_type(int64_t opset, ir::DataType data) {
  return opset < 10 ? data : ir::DataType::kBool;
}

void infer_dropout(InferContext& ctx) {
  ctx.set_same(0, 0);
  const ir::DataType type = mask_type(ctx.opset(), ctx.element(0));
  if (const ir::Shape* in = ctx.shape(0)) {
    ctx.set(1, type, *in);
  } else {
    ctx.set(1, type);
  }
}

void dropout(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  if (trains(ctx)) return dropout_in_training(ctx);
  ctx.set_output(0, in);
  if (!ctx.wants(1)) return;
  // The mask of kept elements: all of them.
  ir::Tensor& mask = ctx.output(1, mask_type(ctx.opset(), in.type()), in.dims());
  fill_with_one(mask);
}

constexpr OpDef kOps[] = {
    {"", "Dropout", 1, infer_dropout, dropout},
    {"", "Dropout", 7, infer_dropout, dropout},
    {"", "Dropout", 10, infer_dropout, dropout},
    {"", "Dropout", 12, infer_dropout, dropout, kNoFacts, 0b110},
    {"", "Flatten", 1, infer_flatten, flatten, kDataMovement},
    {"", "Identity", 1, infer_identity, identity, kDataMovement},
    {"", "Reshape", 1, infer_reshape, reshape, kDataMovement},
    {"", "Reshape", 5, infer_reshape, reshape, kDataMovement, 0b10},
    {"", "Reshape", 14, infer_reshape, reshape, kDataMovement, 0b10},
    {"", "Squeeze", 1, infer_squeeze, squeeze, kDataMovement},
    {"", "Squeeze", 11, infer_squeeze, squeeze, kDataMovement},
    {"", "Squeeze", 13, infer_squeeze, squeeze, kDataMovement, 0b10},
    {"", "Unsqueeze", 1, infer_unsqueeze, unsqueeze, kDataMovement},
    {"", "Unsqueeze", 11, infer_unsqueeze, unsqueeze, kDataMovement},
    {"", "Unsqueeze", 13, infer_unsqueeze, unsqueeze, kDataMovement, 0b10},
};

}  // namespace

std::span<const OpDef> view_ops() {
  return kOps;
}

}  // namespace fettle::ops
