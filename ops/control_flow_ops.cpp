// If and Loop, and what they share with Scan.
#include <algorithm>

#include "ops/control_flow.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/infer_merge.h"
#include "ops/strided_copy.h"

namespace fettle::ops {

ir::Graph& body_of(const ir::Node& node, const char* attribute) {
  ir::Graph* body = node.attr_graph(attribute);
  if (body == nullptr) fail(ErrorCode::kBadInput, "expected a graph in attribute '{}'", attribute);
  return *body;
}

std::vector<ValueFacts> infer_iterated(InferContext& ctx, ir::Graph& body,
                                       const std::vector<ValueFacts>& before,
                                       std::vector<ir::Type>& states,
                                       const std::vector<ValueFacts>& after, size_t first_state) {
  // Each round can only widen types; shapes that keep changing are given up in the last but one.
  constexpr int kRounds = 4;
  for (int round = 1;; ++round) {
    std::vector<ValueFacts> inputs = before;
    for (const ir::Type& type : states) inputs.push_back({type, nullptr, {}, nullptr});
    inputs.insert(inputs.end(), after.begin(), after.end());
    std::vector<ValueFacts> outputs = ctx.infer_subgraph(body, inputs);
    bool stable = true;
    for (size_t i = 0; i < states.size() && first_state + i < outputs.size(); ++i) {
      ir::Type wide = common(states[i], outputs[first_state + i].type);
      if (round >= kRounds - 1) wide.shape.reset();
      if (wide == states[i]) continue;
      stable = false;
      states[i] = std::move(wide);
    }
    if (stable || round == kRounds) return outputs;
  }
}

void Stack::push(const RuntimeValue& value) {
  if (!value.is_tensor()) {
    fail(ErrorCode::kBadInput, "a scan output must be a tensor in every iteration");
  }
  if (!parts_.empty() &&
      (parts_[0].type() != value.tensor.type() || parts_[0].dims() != value.tensor.dims())) {
    fail(ErrorCode::kBadInput, "a scan output changes from {}{} to {}{}",
         ir::data_type_name(parts_[0].type()), ir::to_string(parts_[0].dims()),
         ir::data_type_name(value.tensor.type()), ir::to_string(value.tensor.dims()));
  }
  parts_.push_back(value.tensor);
}

ir::Tensor Stack::joined(int64_t axis, bool reversed, int64_t extent,
                         const ir::Type& fallback) const {
  ir::Dims dims;
  ir::DataType type = fallback.element;
  if (!parts_.empty()) {
    dims = parts_[0].dims();
    type = parts_[0].type();
  } else if (!fallback.is_tensor() || type == ir::DataType::kUndefined) {
    fail(ErrorCode::kUnsupported, "the type of a scan output of no iterations is not declared");
  } else if (fallback.shape) {
    for (const ir::Dim& d : *fallback.shape) dims.push_back(std::max<int64_t>(d.value, 0));
  }
  const ir::Dims part_dims = dims;
  const int64_t at = normalized_axis(axis, static_cast<int64_t>(dims.size()) + 1);
  dims.insert(dims.begin() + at, extent);
  const bool sub_byte = ir::is_sub_byte(type);
  ir::Tensor out(sub_byte ? ir::DataType::kUint8 : type, dims);
  if (size() < extent) fill_zero(out);
  auto strides = row_major_strides(dims);
  const int64_t step = strides[static_cast<size_t>(at)];
  strides.erase(strides.begin() + at);
  for (int64_t i = 0; i < size() && out.size() > 0; ++i) {
    const ir::Tensor& part = parts_[static_cast<size_t>(i)];
    const int64_t place = reversed ? size() - 1 - i : i;
    copy_box(sub_byte ? unpacked(part) : part, {0, row_major_strides(part_dims)}, out,
             {place * step, strides}, part_dims);
  }
  return sub_byte ? packed(out, type) : out;
}

namespace {

// --- If --------------------------------------------------------------------------------------

// What a branch computes, or the error that it would run into.
struct Branch {
  std::vector<ValueFacts> facts;
  std::optional<Error> error;
};

Branch infer_branch(InferContext& ctx, const char* attribute) {
  ir::Graph& body = body_of(ctx.node(), attribute);
  if (body.outputs().size() < ctx.output_count()) {
    fail(ErrorCode::kBadInput, "the node has {} outputs, its {} {}", ctx.output_count(), attribute,
         body.outputs().size());
  }
  try {
    return {ctx.infer_subgraph(body, {}), std::nullopt};
  } catch (const Error& error) {
    return {{}, error};
  }
}

// What holds whichever branch runs.
void set_common(InferContext& ctx, size_t i, const ValueFacts& a, const ValueFacts& b) {
  if (a.type.is_tensor() && b.type.is_tensor() && a.type.element != b.type.element &&
      a.type.element != ir::DataType::kUndefined && b.type.element != ir::DataType::kUndefined) {
    fail(ErrorCode::kBadInput, "output {} is {} in one branch and {} in the other", i,
         ir::data_type_name(a.type.element), ir::data_type_name(b.type.element));
  }
  ctx.set_type(i, common(a.type, b.type));
  if (!a.ints || !b.ints || a.ints->size() != b.ints->size()) return;
  Ints both = *a.ints;
  for (size_t k = 0; k < both.size(); ++k) {
    if (!both[k].same((*b.ints)[k])) both[k] = ir::Dim::unknown();
  }
  ctx.set_ints(i, std::move(both));
}

// A branch that contradicts the shapes at hand cannot run to its end, so that the outputs come from
// the other one; exporters guard operators that need certain shapes in this way.
void infer_if(InferContext& ctx) {
  const auto condition = ctx.known_ints(0);
  const bool known = condition && condition->size() == 1;
  const Branch then_branch = infer_branch(ctx, "then_branch");
  const Branch else_branch = infer_branch(ctx, "else_branch");
  const bool takes_then = known ? condition->front() != 0 : else_branch.error.has_value();
  const bool takes_else = known ? !takes_then : then_branch.error.has_value();
  if (takes_then || takes_else) {
    const Branch& taken = takes_then ? then_branch : else_branch;
    if (taken.error) throw *taken.error;
    for (size_t i = 0; i < ctx.output_count(); ++i) ctx.outputs()[i] = taken.facts[i];
    return;
  }
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    set_common(ctx, i, then_branch.facts[i], else_branch.facts[i]);
  }
}

bool flag(const ir::Tensor& tensor) {
  if (tensor.size() != 1 || tensor.type() != ir::DataType::kBool) {
    fail(ErrorCode::kBadInput, "expected one condition of type bool, found {}{}",
         ir::data_type_name(tensor.type()), ir::to_string(tensor.dims()));
  }
  return tensor.data<uint8_t>()[0] != 0;
}

void run_if(KernelContext& ctx) {
  const bool holds = flag(ctx.input(0));
  const ir::Graph& body = body_of(ctx.node(), holds ? "then_branch" : "else_branch");
  std::vector<RuntimeValue> results = ctx.subgraphs().run(body, {});
  if (results.size() < ctx.output_count()) {
    fail(ErrorCode::kBadInput, "the node has {} outputs, the branch gives {}", ctx.output_count(),
         results.size());
  }
  for (size_t i = 0; i < ctx.output_count(); ++i) ctx.set_output(i, std::move(results[i]));
}

// --- Loop ------------------------------------------------------------------------------------

bool surely_true(const ValueFacts& facts) {
  if (facts.ints) return facts.ints->size() == 1 && int_value(facts.ints->front()) == 1;
  if (facts.constant == nullptr) return false;
  const auto ints = ints_of(*facts.constant);
  return ints && ints->size() == 1 && int_value(ints->front()) == 1;
}

size_t state_count(const ir::Node& node) {
  return node.inputs().size() < 2 ? 0 : node.inputs().size() - 2;
}

// Shape in which the body wants the iteration number or the condition: a scalar, or, where it is
// declared so, a list of one.
ir::Dims body_scalar(const ir::Graph& body, size_t input) {
  if (input >= body.inputs().size()) return {};
  const ir::Type& type = body.inputs()[input]->type;
  return type.shape && type.shape->size() == 1 ? ir::Dims{1} : ir::Dims{};
}

void infer_loop(InferContext& ctx) {
  ir::Graph& body = body_of(ctx.node(), "body");
  const size_t count = state_count(ctx.node());
  std::vector<ir::Type> states;
  for (size_t i = 0; i < count; ++i) states.push_back(ctx.type(i + 2));
  // The body only runs where the condition holds.
  const std::vector<ValueFacts> before = {
      {ir::Type::tensor(ir::DataType::kInt64, ir::shape_of(body_scalar(body, 0))),
       nullptr,
       {},
       nullptr},
      {ir::Type::tensor(ir::DataType::kBool, ir::shape_of(body_scalar(body, 1))), nullptr,
       Ints{ir::Dim::of(1)}, nullptr}};
  const auto results = infer_iterated(ctx, body, before, states, {}, 1);
  const bool counted =
      !results.empty() && surely_true(results[0]) && (!ctx.has(1) || surely_true(ctx.facts(1)));
  const auto limit = ctx.has(0) ? ctx.ints(0) : std::nullopt;
  ir::Dim trips;
  if (counted && limit && limit->size() == 1) trips = limit->front();
  if (const auto n = int_value(trips); n && *n < 0) trips = ir::Dim::of(0);
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    if (i < count) {
      ctx.set_type(i, states[i]);
    } else if (i + 1 < results.size() && results[i + 1].type.is_tensor()) {
      ir::Type type = results[i + 1].type;
      if (type.shape) type.shape->insert(type.shape->begin(), trips);
      ctx.set_type(i, std::move(type));
    }
  }
}

void run_loop(KernelContext& ctx) {
  const ir::Graph& body = body_of(ctx.node(), "body");
  const size_t states = state_count(ctx.node());
  int64_t limit = INT64_MAX;
  if (const ir::Tensor* given = ctx.optional(0)) {
    if (given->size() != 1) fail(ErrorCode::kBadInput, "expected one trip count");
    limit = ir::element_as_int(*given, 0);
  }
  bool goes_on = ctx.has(1) ? flag(ctx.input(1)) : true;
  std::vector<RuntimeValue> carried;
  for (size_t i = 0; i < states; ++i) {
    carried.push_back(ctx.has(i + 2) ? ctx.value(i + 2) : RuntimeValue());
  }
  const size_t expected = std::max(body.outputs().size(), states + 1);
  std::vector<Stack> stacks(expected - states - 1);
  if (ctx.output_count() > states + stacks.size() || body.outputs().size() != expected) {
    fail(ErrorCode::kBadInput, "the node has {} outputs and {} states, its body {} outputs",
         ctx.output_count(), states, body.outputs().size());
  }
  for (int64_t i = 0; i < limit && goes_on; ++i) {
    if (i >= ctx.subgraphs().iteration_limit()) {
      fail(ErrorCode::kLimit, "the loop did not end within {} iterations", i);
    }
    std::vector<RuntimeValue> inputs{ir::Tensor::scalar(i).reshaped(body_scalar(body, 0)),
                                     ir::Tensor::scalar(goes_on).reshaped(body_scalar(body, 1))};
    std::move(carried.begin(), carried.end(), std::back_inserter(inputs));
    std::vector<RuntimeValue> results = ctx.subgraphs().run(body, std::move(inputs));
    FETTLE_ASSERT(results.size() == expected);
    if (!results[0].is_tensor()) fail(ErrorCode::kBadInput, "the condition must be a tensor");
    goes_on = flag(results[0].tensor);
    for (size_t k = 0; k < states; ++k) carried[k] = std::move(results[k + 1]);
    for (size_t k = 0; k < stacks.size(); ++k) stacks[k].push(results[states + 1 + k]);
  }
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    if (!ctx.wants(i)) continue;
    if (i < states) {
      ctx.set_output(i, std::move(carried[i]));
    } else {
      const Stack& stack = stacks[i - states];
      ctx.set_output(i, stack.joined(0, false, stack.size(), body.outputs()[i + 1]->type));
    }
  }
}

constexpr OpDef kOps[] = {
    {"", "If", 1, infer_if, run_if, kControlFlow},
    {"", "Loop", 1, infer_loop, run_loop, kControlFlow, 0b1},
    {"", "Scan", 8, infer_scan, scan, kControlFlow},
    {"", "Scan", 9, infer_scan, scan, kControlFlow},
    {"", "Scan", 11, infer_scan, scan, kControlFlow},
};

}  // namespace

std::span<const OpDef> control_flow_ops() {
  return kOps;
}

}  // namespace fettle::ops
