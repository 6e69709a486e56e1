#include "ops/infer_constants.h"

#include "ir/error.h"

namespace fettle::ops {
namespace {

constexpr int64_t kMaxElements = 256;

// The operand's contents as a tensor, or nothing when they are unknown or large.
std::optional<ir::Tensor> contents(const InferContext& context, size_t i) {
  if (const ir::Tensor* t = context.constant(i)) {
    return t->size() <= kMaxElements ? std::optional(*t) : std::nullopt;
  }
  const ir::Shape* shape = context.shape(i);
  if (!context.facts(i).ints || shape == nullptr || shape->size() > 1) return std::nullopt;
  const auto values = context.known_ints(i);
  if (!values) return std::nullopt;
  const ir::Dims dims =
      shape->empty() ? ir::Dims{} : ir::Dims{static_cast<int64_t>(values->size())};
  if (context.element(i) == ir::DataType::kInt64) return ir::Tensor::of(dims, *values);
  if (context.element(i) == ir::DataType::kInt32) {
    return ir::Tensor::of(dims, std::vector<int32_t>(values->begin(), values->end()));
  }
  return std::nullopt;
}

bool small(const ValueFacts& output) {
  const auto dims = output.type.shape ? ir::known_dims(*output.type.shape) : std::nullopt;
  if (!output.type.is_tensor() || !dims) return false;
  int64_t count = 1;
  for (const int64_t d : *dims) {
    if (d == 0) return true;
    if (d > kMaxElements || (count *= d) > kMaxElements) return false;
  }
  return true;
}

}  // namespace

void evaluate_constants(const OpDef& op, InferContext& context) {
  if (op.kernel == nullptr || context.input_count() == 0) return;
  if (has_fact(&op, kRandom) || has_fact(&op, kControlFlow) || has_fact(&op, kQuantization)) return;
  for (const ValueFacts& output : context.outputs()) {
    if (output.constant != nullptr || !small(output)) return;
  }
  std::vector<RuntimeValue> operands(context.input_count());
  std::vector<const RuntimeValue*> inputs(context.input_count(), nullptr);
  bool any = false;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!context.has(i)) continue;
    auto tensor = contents(context, i);
    if (!tensor) return;
    operands[i] = RuntimeValue(std::move(*tensor));
    inputs[i] = &operands[i];
    any = true;
  }
  if (!any) return;
  KernelContext run(context.node(), context.opset(), inputs, nullptr);
  try {
    op.kernel(run);
  } catch (const Error&) {
    return;  // the node may never run; when it does, the executor reports it
  }
  for (size_t i = 0; i < run.outputs().size() && i < context.output_count(); ++i) {
    RuntimeValue& value = run.outputs()[i];
    if (!value.is_tensor()) continue;
    if (auto known = ints_of(value.tensor)) context.set_ints(i, std::move(*known));
    context.set_constant(i, std::make_shared<const ir::Tensor>(std::move(value.tensor)));
  }
}

}  // namespace fettle::ops
