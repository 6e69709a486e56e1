// Sequences and optional values: construction, access, and conversion from and to tensors.
#include <algorithm>

#include "ops/axes.h"
#include "ops/checked.h"
#include "ops/control_flow.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/infer_merge.h"
#include "ops/movement.h"
#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

using Items = std::vector<RuntimeValue>;

const Items& items_of(const KernelContext& ctx, size_t i) {
  const RuntimeValue& value = ctx.value(i);
  if (value.kind != RuntimeValue::Kind::kSequence || value.items == nullptr) {
    fail(ErrorCode::kBadInput, "input {} must be a sequence", i);
  }
  return *value.items;
}

// A position among `count`, counted from the end when negative.
int64_t position(const KernelContext& ctx, size_t i, int64_t count, int64_t fallback) {
  if (!ctx.has(i)) return fallback;
  const auto given = operand_ints(ctx, i);
  if (given->size() != 1) fail(ErrorCode::kBadInput, "expected one position");
  const int64_t at = given->front();
  if (at < -count || at >= count) {
    fail(ErrorCode::kBadInput, "position {} is out of range for {} entries", at, count);
  }
  return at < 0 ? at + count : at;
}

// Type of the entries of a sequence operand.
ir::Type entry_type(const InferContext& ctx, size_t i) {
  const ir::Type& type = ctx.type(i);
  return type.kind == ir::Type::Kind::kSequence && type.inner ? *type.inner : ir::Type{};
}

// --- Construction and access -----------------------------------------------------------------

void infer_construct(InferContext& ctx) {
  ir::Type entry = ctx.type(0);
  for (size_t i = 1; i < ctx.input_count(); ++i) entry = common(entry, ctx.type(i));
  ctx.set_type(0, ir::Type::sequence(std::move(entry)));
}

void construct(KernelContext& ctx) {
  Items items;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    require_same_type(ctx.input(0), ctx.input(i), "SequenceConstruct");
    items.push_back(ctx.value(i));
  }
  ctx.set_output(0, RuntimeValue::sequence(std::move(items)));
}

void infer_empty(InferContext& ctx) {
  const int64_t number = ctx.node().attr_int("dtype", 1);
  const auto type =
      ir::data_type_from_onnx(static_cast<int32_t>(std::clamp<int64_t>(number, 0, 1000)));
  if (!type) fail(ErrorCode::kBadInput, "attribute 'dtype': {} is no element type", number);
  ctx.set_type(0, ir::Type::sequence(ir::Type::tensor(*type)));
}

void empty(KernelContext& ctx) {
  ctx.set_output(0, RuntimeValue::sequence({}));
}

void infer_at(InferContext& ctx) {
  ctx.set_type(0, entry_type(ctx, 0));
}

void at(KernelContext& ctx) {
  const Items& items = items_of(ctx, 0);
  if (!ctx.has(1)) fail(ErrorCode::kBadInput, "expected a position, found none");
  const int64_t i = position(ctx, 1, static_cast<int64_t>(items.size()), 0);
  ctx.set_output(0, items[static_cast<size_t>(i)]);
}

void infer_insert(InferContext& ctx) {
  const ir::Type entry = entry_type(ctx, 0);
  ctx.set_type(0, ir::Type::sequence(entry.known() ? common(entry, ctx.type(1)) : ir::Type{}));
}

void insert(KernelContext& ctx) {
  Items items = items_of(ctx, 0);
  const auto count = static_cast<int64_t>(items.size());
  // One place more than there are entries: behind the last.
  const auto given = operand_ints(ctx, 2);
  int64_t i = given && given->size() == 1 ? given->front() : count;
  if (i < -count || i > count) {
    fail(ErrorCode::kBadInput, "position {} is out of range for {} entries", i, count);
  }
  if (i < 0) i += count;
  if (!items.empty() && items[0].is_tensor()) {
    require_same_type(items[0].tensor, ctx.input(1), "SequenceInsert");
  }
  items.insert(items.begin() + i, ctx.value(1));
  ctx.set_output(0, RuntimeValue::sequence(std::move(items)));
}

void infer_erase(InferContext& ctx) {
  ctx.set_same(0, 0);
}

void erase(KernelContext& ctx) {
  Items items = items_of(ctx, 0);
  const auto count = static_cast<int64_t>(items.size());
  if (count == 0) fail(ErrorCode::kBadInput, "an empty sequence has no entry to erase");
  items.erase(items.begin() + position(ctx, 1, count, count - 1));
  ctx.set_output(0, RuntimeValue::sequence(std::move(items)));
}

void infer_length(InferContext& ctx) {
  ctx.set(0, ir::DataType::kInt64, ir::Shape{});
}

void length(KernelContext& ctx) {
  ctx.set_output(0, ir::Tensor::scalar(static_cast<int64_t>(items_of(ctx, 0).size())));
}

// --- Tensors to sequences and back -----------------------------------------------------------

void infer_split_to_sequence(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) {
    return ctx.set_type(0, ir::Type::sequence(ir::Type::tensor(ctx.element(0))));
  }
  const auto axis =
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(in->size()));
  ir::Shape out = *in;
  if (ctx.has(1)) {
    out[static_cast<size_t>(axis)] = ir::Dim::unknown();
  } else if (ctx.node().attr_int("keepdims", 1) != 0) {
    out[static_cast<size_t>(axis)] = ir::Dim::of(1);
  } else {
    out.erase(out.begin() + axis);
  }
  ctx.set_type(0, ir::Type::sequence(ir::Type::tensor(ctx.element(0), std::move(out))));
}

// Extents of the parts along an axis of `total` elements.
std::vector<int64_t> part_sizes(const KernelContext& ctx, int64_t total) {
  const auto given = operand_ints(ctx, 1);
  if (given && ctx.input(1).rank() == 1) {
    int64_t sum = 0;
    for (const int64_t size : *given) {
      if (size < 0) fail(ErrorCode::kBadInput, "expected sizes of at least 0, found {}", size);
      sum = checked_add(sum, size);
    }
    if (sum != total) fail(ErrorCode::kBadInput, "sizes add up to {}, expected {}", sum, total);
    return *given;
  }
  const int64_t chunk = given ? given->front() : 1;
  if (chunk < 1) fail(ErrorCode::kBadInput, "expected a size of at least 1, found {}", chunk);
  ir::require_memory(static_cast<size_t>(ceil_div(total, chunk)) * sizeof(RuntimeValue));
  std::vector<int64_t> sizes;
  for (int64_t rest = total; rest > 0; rest -= sizes.back()) sizes.push_back(std::min(chunk, rest));
  return sizes;
}

void split_to_sequence(KernelContext& ctx) {
  const ir::Tensor& given = ctx.input(0);
  const bool sub_byte = ir::is_sub_byte(given.type());
  const ir::Tensor in = sub_byte ? unpacked(given) : given;
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(in.rank())));
  const bool keep = ctx.has(1) || ctx.node().attr_int("keepdims", 1) != 0;
  const auto strides = row_major_strides(in.dims());
  Items items;
  int64_t begin = 0;
  for (const int64_t size : part_sizes(ctx, in.dim(axis))) {
    ir::Dims dims = in.dims();
    dims[axis] = size;
    ir::Tensor part(in.type(), dims);
    if (part.size() > 0) {
      copy_box(in, {begin * strides[axis], strides}, part, {0, row_major_strides(dims)}, dims);
    }
    begin += size;
    if (!keep) dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
    part = part.reshaped(std::move(dims));
    items.emplace_back(sub_byte ? packed(part, given.type()) : std::move(part));
  }
  ctx.set_output(0, RuntimeValue::sequence(std::move(items)));
}

void infer_concat_from_sequence(InferContext& ctx) {
  const ir::Type entry = entry_type(ctx, 0);
  if (!entry.shape) return ctx.set(0, entry.element);
  const bool stack = ctx.node().attr_int("new_axis", 0) != 0;
  ir::Shape out = *entry.shape;
  if (stack) out.push_back(ir::Dim::unknown());
  const auto axis = static_cast<size_t>(
      normalized_axis(ctx.node().attr_int("axis", 0), static_cast<int64_t>(out.size())));
  if (stack) std::rotate(out.begin() + static_cast<std::ptrdiff_t>(axis), out.end() - 1, out.end());
  out[axis] = ir::Dim::unknown();
  ctx.set(0, entry.element, std::move(out));
}

void concat_from_sequence(KernelContext& ctx) {
  Items items = items_of(ctx, 0);
  std::vector<const RuntimeValue*> operands;
  for (RuntimeValue& item : items) {
    if (!item.is_tensor()) fail(ErrorCode::kBadInput, "expected a sequence of tensors");
    if (ctx.node().attr_int("new_axis", 0) != 0) {
      ir::Dims dims = item.tensor.dims();
      const auto rank = static_cast<int64_t>(dims.size());
      dims.insert(dims.begin() + normalized_axis(ctx.node().attr_int("axis", 0), rank + 1), 1);
      item.tensor = item.tensor.reshaped(std::move(dims));
    }
    operands.push_back(&item);
  }
  KernelContext joined(ctx.node(), ctx.opset(), std::move(operands), nullptr);
  by_width<concat, ~0u>(joined);
  ctx.set_output(0, std::move(joined.outputs()[0]));
}

// --- SequenceMap -----------------------------------------------------------------------------

void infer_sequence_map(InferContext& ctx) {
  std::vector<ValueFacts> inputs;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    const bool mapped = ctx.type(i).kind == ir::Type::Kind::kSequence;
    inputs.push_back({mapped ? entry_type(ctx, i) : ctx.type(i), nullptr, {}, nullptr});
  }
  const auto results = ctx.infer_subgraph(body_of(ctx.node(), "body"), inputs);
  for (size_t i = 0; i < ctx.output_count() && i < results.size(); ++i) {
    ctx.set_type(i, ir::Type::sequence(results[i].type));
  }
}

void sequence_map(KernelContext& ctx) {
  const ir::Graph& body = body_of(ctx.node(), "body");
  const size_t count = items_of(ctx, 0).size();
  if (static_cast<int64_t>(count) > ctx.subgraphs().iteration_limit()) {
    fail(ErrorCode::kLimit, "a sequence of {} entries exceeds the iteration limit", count);
  }
  std::vector<Items> outputs(ctx.output_count());
  for (size_t k = 0; k < count; ++k) {
    std::vector<RuntimeValue> inputs;
    for (size_t i = 0; i < ctx.input_count(); ++i) {
      const RuntimeValue& value = ctx.value(i);
      const bool mapped = value.kind == RuntimeValue::Kind::kSequence;
      if (mapped && value.items->size() != count) {
        fail(ErrorCode::kBadInput, "sequences of {} and {} entries", count, value.items->size());
      }
      inputs.push_back(mapped ? (*value.items)[k] : value);
    }
    auto results = ctx.subgraphs().run(body, std::move(inputs));
    if (results.size() < outputs.size()) {
      fail(ErrorCode::kBadInput, "the node has {} outputs, its body {}", outputs.size(),
           results.size());
    }
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(std::move(results[i]));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    ctx.set_output(i, RuntimeValue::sequence(std::move(outputs[i])));
  }
}

// --- Optional --------------------------------------------------------------------------------

void infer_optional(InferContext& ctx) {
  ctx.set_type(0, ir::Type::optional(ctx.type(0)));
}

void make_optional(KernelContext& ctx) {
  Items content;
  if (ctx.has(0)) content.push_back(ctx.value(0));
  ctx.set_output(0, RuntimeValue::optional(std::move(content)));
}

void infer_has_element(InferContext& ctx) {
  ctx.set(0, ir::DataType::kBool, ir::Shape{});
}

bool holds_something(const KernelContext& ctx) {
  if (!ctx.has(0)) return false;
  const RuntimeValue& value = ctx.value(0);
  if (value.kind == RuntimeValue::Kind::kOptional) return value.items && !value.items->empty();
  return value.kind != RuntimeValue::Kind::kNone;
}

void has_element(KernelContext& ctx) {
  ctx.set_output(0, ir::Tensor::scalar(holds_something(ctx)));
}

void infer_get_element(InferContext& ctx) {
  const ir::Type& type = ctx.type(0);
  const bool wrapped = type.kind == ir::Type::Kind::kOptional;
  if (wrapped && !type.inner) return;
  ctx.set_type(0, wrapped ? *type.inner : type);
}

void get_element(KernelContext& ctx) {
  if (!holds_something(ctx)) fail(ErrorCode::kBadInput, "the optional value is empty");
  const RuntimeValue& value = ctx.value(0);
  ctx.set_output(0, value.kind == RuntimeValue::Kind::kOptional ? value.items->front() : value);
}

constexpr uint32_t kMoves = kDataMovement;

constexpr OpDef kOps[] = {
    {"", "ConcatFromSequence", 11, infer_concat_from_sequence, concat_from_sequence, kMoves},
    {"", "Optional", 15, infer_optional, make_optional, kMoves},
    {"", "OptionalGetElement", 15, infer_get_element, get_element, kMoves},
    {"", "OptionalHasElement", 15, infer_has_element, has_element},
    {"", "SequenceAt", 11, infer_at, at, kMoves, 0b10},
    {"", "SequenceConstruct", 11, infer_construct, construct, kMoves},
    {"", "SequenceEmpty", 11, infer_empty, empty},
    {"", "SequenceErase", 11, infer_erase, erase, kMoves, 0b10},
    {"", "SequenceInsert", 11, infer_insert, insert, kMoves, 0b100},
    {"", "SequenceLength", 11, infer_length, length},
    {"", "SequenceMap", 17, infer_sequence_map, sequence_map, kControlFlow},
    {"", "SplitToSequence", 11, infer_split_to_sequence, split_to_sequence, kMoves, 0b10},
};

}  // namespace

std::span<const OpDef> sequence_ops() {
  return kOps;
}

}  // namespace fettle::ops
