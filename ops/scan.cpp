// Scan. Version 8 runs once per entry of a batch axis in front; from version 9 on there is none,
// and axes and directions are attributes of every scan input and output.
#include <algorithm>

#include "ops/axes.h"
#include "ops/control_flow.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/infer_merge.h"
#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

// Attributes of one Scan node, checked against its operands.
struct Plan {
  size_t first = 0;  // operand that holds the first state: 1 in version 8
  size_t states = 0;
  size_t scan_inputs = 0;
  size_t scan_outputs = 0;
  std::vector<int64_t> input_axes, input_directions;
  std::vector<int64_t> output_axes, output_directions;
};

std::vector<int64_t> per_operand(const ir::Node& node, const char* attribute, size_t count) {
  const auto given = attribute_ints(node, attribute);
  if (!given || given->empty()) return std::vector<int64_t>(count, 0);
  if (given->size() != count) {
    fail(ErrorCode::kBadInput, "attribute '{}': expected {} entries, found {}", attribute, count,
         given->size());
  }
  return *given;
}

Plan plan_of(const ir::Node& node, int64_t opset) {
  Plan plan;
  plan.first = opset < 9 ? 1 : 0;
  const int64_t scanned = node.attr_int("num_scan_inputs", 0);
  const auto operands =
      static_cast<int64_t>(node.inputs().size() - std::min(node.inputs().size(), plan.first));
  if (scanned < 1 || scanned > operands) {
    fail(ErrorCode::kBadInput, "num_scan_inputs: expected 1 to {}, found {}", operands, scanned);
  }
  plan.scan_inputs = static_cast<size_t>(scanned);
  plan.states = static_cast<size_t>(operands - scanned);
  if (node.outputs().size() < plan.states) {
    fail(ErrorCode::kBadInput, "expected at least {} outputs, found {}", plan.states,
         node.outputs().size());
  }
  plan.scan_outputs = node.outputs().size() - plan.states;
  const ir::Graph& body = body_of(node, "body");
  if (body.outputs().size() != node.outputs().size() ||
      body.inputs().size() != plan.states + plan.scan_inputs) {
    fail(ErrorCode::kBadInput, "the body takes {} inputs and gives {} outputs; expected {} and {}",
         body.inputs().size(), body.outputs().size(), plan.states + plan.scan_inputs,
         node.outputs().size());
  }
  plan.input_directions =
      per_operand(node, opset < 9 ? "directions" : "scan_input_directions", plan.scan_inputs);
  plan.output_axes.assign(plan.scan_outputs, 0);
  plan.output_directions.assign(plan.scan_outputs, 0);
  plan.input_axes.assign(plan.scan_inputs, 0);
  if (opset >= 9) {
    plan.input_axes = per_operand(node, "scan_input_axes", plan.scan_inputs);
    plan.output_axes = per_operand(node, "scan_output_axes", plan.scan_outputs);
    plan.output_directions = per_operand(node, "scan_output_directions", plan.scan_outputs);
  }
  return plan;
}

// Entry `index` of an axis, as a tensor without that axis.
ir::Tensor entry(const ir::Tensor& given, size_t axis, int64_t index) {
  const bool sub_byte = ir::is_sub_byte(given.type());
  const ir::Tensor in = sub_byte ? unpacked(given) : given;
  ir::Dims dims = in.dims();
  auto strides = row_major_strides(dims);
  const int64_t offset = index * strides[axis];
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  strides.erase(strides.begin() + static_cast<std::ptrdiff_t>(axis));
  if (axis == 0 && given.type() != ir::DataType::kString) {
    ir::Tensor view = in.slice_front(index, 1).reshaped(dims);
    return sub_byte ? packed(view, given.type()) : view;
  }
  ir::Tensor out(in.type(), dims);
  copy_box(in, {offset, strides}, out, {0, row_major_strides(dims)}, dims);
  return sub_byte ? packed(out, given.type()) : out;
}

// One run over a sequence.
struct Run {
  std::vector<RuntimeValue> states;  // final
  std::vector<Stack> outputs;
};

Run run_sequence(KernelContext& ctx, const Plan& plan, std::vector<RuntimeValue> states,
                 const std::vector<ir::Tensor>& scanned, const std::vector<size_t>& axes,
                 int64_t length) {
  const ir::Graph& body = body_of(ctx.node(), "body");
  Run run{std::move(states), std::vector<Stack>(plan.scan_outputs)};
  if (length > ctx.subgraphs().iteration_limit()) {
    fail(ErrorCode::kLimit, "a sequence of {} steps exceeds the limit of {} iterations", length,
         ctx.subgraphs().iteration_limit());
  }
  for (int64_t t = 0; t < length; ++t) {
    std::vector<RuntimeValue> inputs = std::move(run.states);
    for (size_t i = 0; i < scanned.size(); ++i) {
      const int64_t index = plan.input_directions[i] != 0 ? length - 1 - t : t;
      inputs.emplace_back(entry(scanned[i], axes[i], index));
    }
    std::vector<RuntimeValue> results = ctx.subgraphs().run(body, std::move(inputs));
    FETTLE_ASSERT(results.size() == plan.states + plan.scan_outputs);
    for (size_t i = 0; i < plan.scan_outputs; ++i) run.outputs[i].push(results[plan.states + i]);
    results.resize(plan.states);
    run.states = std::move(results);
  }
  return run;
}

// Steps of all scan inputs, which must agree; `axes` receives their axes.
int64_t sequence_length(const Plan& plan, const std::vector<ir::Tensor>& scanned,
                        std::vector<size_t>& axes) {
  int64_t length = -1;
  for (size_t i = 0; i < scanned.size(); ++i) {
    const auto rank = static_cast<int64_t>(scanned[i].rank());
    axes.push_back(static_cast<size_t>(normalized_axis(plan.input_axes[i], rank)));
    const int64_t extent = scanned[i].dim(axes.back());
    if (length >= 0 && extent != length) {
      fail(ErrorCode::kBadInput, "scan inputs have sequences of {} and {} steps", length, extent);
    }
    length = extent;
  }
  return length;
}

void scan_plain(KernelContext& ctx, const Plan& plan) {
  std::vector<RuntimeValue> states;
  std::vector<ir::Tensor> scanned;
  for (size_t i = 0; i < plan.states; ++i) states.push_back(ctx.value(i));
  for (size_t i = 0; i < plan.scan_inputs; ++i) scanned.push_back(ctx.input(plan.states + i));
  std::vector<size_t> axes;
  const int64_t length = sequence_length(plan, scanned, axes);
  Run run = run_sequence(ctx, plan, std::move(states), scanned, axes, length);
  for (size_t i = 0; i < plan.states; ++i) ctx.set_output(i, std::move(run.states[i]));
  const ir::Graph& body = body_of(ctx.node(), "body");
  for (size_t i = 0; i < plan.scan_outputs; ++i) {
    ctx.set_output(plan.states + i,
                   run.outputs[i].joined(plan.output_axes[i], plan.output_directions[i] != 0,
                                         length, body.outputs()[plan.states + i]->type));
  }
}

void scan_batches(KernelContext& ctx, const Plan& plan) {
  const ir::Graph& body = body_of(ctx.node(), "body");
  const size_t operands = plan.states + plan.scan_inputs;
  const int64_t batches = ctx.input(1).rank() > 0 ? ctx.input(1).dim(0) : 0;
  for (size_t i = 1; i <= operands; ++i) {
    const bool scanned = i > plan.states;
    if (ctx.input(i).rank() < (scanned ? 2u : 1u) || ctx.input(i).dim(0) != batches) {
      fail(ErrorCode::kBadInput, "input {}: expected a batch of {} in front, found shape {}", i,
           batches, ir::to_string(ctx.input(i).dims()));
    }
  }
  const auto lengths = operand_ints(ctx, 0);
  const int64_t longest = ctx.input(plan.states + 1).dim(1);
  if (lengths && static_cast<int64_t>(lengths->size()) != batches) {
    fail(ErrorCode::kBadInput, "expected {} sequence lengths, found {}", batches, lengths->size());
  }
  std::vector<Stack> states(plan.states);
  std::vector<Stack> outputs(plan.scan_outputs);
  for (int64_t b = 0; b < batches; ++b) {
    const int64_t length = lengths ? (*lengths)[static_cast<size_t>(b)] : longest;
    if (length < 0 || length > longest) {
      fail(ErrorCode::kBadInput, "expected sequence lengths from 0 to {}, found {}", longest,
           length);
    }
    std::vector<RuntimeValue> initial;
    std::vector<ir::Tensor> scanned;
    for (size_t i = 0; i < plan.states; ++i) initial.push_back(entry(ctx.input(i + 1), 0, b));
    for (size_t i = plan.states; i < operands; ++i) {
      scanned.push_back(entry(ctx.input(i + 1), 0, b));
      if (scanned.back().dim(0) != longest)
        fail(ErrorCode::kBadInput, "scan inputs differ in length");
    }
    const Run run = run_sequence(ctx, plan, std::move(initial), scanned,
                                 std::vector<size_t>(scanned.size(), 0), length);
    for (size_t i = 0; i < plan.states; ++i) states[i].push(run.states[i]);
    for (size_t i = 0; i < plan.scan_outputs; ++i) {
      outputs[i].push(
          run.outputs[i].joined(0, false, longest, body.outputs()[plan.states + i]->type));
    }
  }
  for (size_t i = 0; i < plan.states; ++i) {
    ctx.set_output(i, states[i].joined(0, false, batches, body.outputs()[i]->type));
  }
  for (size_t i = 0; i < plan.scan_outputs; ++i) {
    ctx.set_output(plan.states + i,
                   outputs[i].joined(0, false, batches, body.outputs()[plan.states + i]->type));
  }
}

// The type without one axis; the extent of that axis goes to `extent` when known.
ir::Type without_axis(ir::Type type, int64_t axis, ir::Dim& extent) {
  if (!type.shape) return type;
  const auto at = normalized_axis(axis, static_cast<int64_t>(type.shape->size()));
  const ir::Dim& d = (*type.shape)[static_cast<size_t>(at)];
  if (d.known() || !extent.known()) extent = d;
  type.shape->erase(type.shape->begin() + at);
  return type;
}

ir::Type with_axis(ir::Type type, int64_t axis, const ir::Dim& extent) {
  if (!type.shape) return type;
  const auto at = normalized_axis(axis, static_cast<int64_t>(type.shape->size()) + 1);
  type.shape->insert(type.shape->begin() + at, extent);
  return type;
}

}  // namespace

void infer_scan(InferContext& ctx) {
  const Plan plan = plan_of(ctx.node(), ctx.opset());
  const bool batched = plan.first == 1;
  ir::Dim batch;
  ir::Dim length;
  std::vector<ir::Type> states;
  for (size_t i = 0; i < plan.states; ++i) {
    const ir::Type& type = ctx.type(plan.first + i);
    states.push_back(batched ? without_axis(type, 0, batch) : type);
  }
  std::vector<ValueFacts> slices;
  for (size_t i = 0; i < plan.scan_inputs; ++i) {
    ir::Type type = ctx.type(plan.first + plan.states + i);
    if (batched) type = without_axis(std::move(type), 0, batch);
    slices.push_back(
        {without_axis(std::move(type), plan.input_axes[i], length), nullptr, {}, nullptr});
  }
  const auto results = infer_iterated(ctx, body_of(ctx.node(), "body"), {}, states, slices, 0);
  for (size_t i = 0; i < ctx.output_count() && i < results.size(); ++i) {
    ir::Type type = i < plan.states
                        ? states[i]
                        : with_axis(results[i].type, plan.output_axes[i - plan.states], length);
    ctx.set_type(i, batched ? with_axis(std::move(type), 0, batch) : std::move(type));
  }
}

void scan(KernelContext& ctx) {
  const Plan plan = plan_of(ctx.node(), ctx.opset());
  if (plan.first == 1) {
    scan_batches(ctx, plan);
  } else {
    scan_plain(ctx, plan);
  }
}

}  // namespace fettle::ops
