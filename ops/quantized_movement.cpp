// QLinearConcat and QLinearWhere of com.microsoft: the elements of every operand are requantized to
// the output's parameters, then moved.
#include <vector>

#include "ops/broadcast.h"
#include "ops/code_map.h"
#include "ops/element_width.h"
#include "ops/movement.h"
#include "ops/quantized_contrib.h"

namespace fettle::ops {
namespace {

// Operands of QLinearConcat: Y's scale and zero point, then (tensor, scale, zero point) each.
constexpr size_t kFirstPart = 2;
constexpr size_t kOperandsPerPart = 3;
// The version of Concat whose rule and kernel apply.
constexpr int64_t kConcatVersion = 13;

std::vector<size_t> part_operands(size_t operand_count) {
  if (operand_count < kFirstPart + kOperandsPerPart ||
      (operand_count - kFirstPart) % kOperandsPerPart != 0) {
    fail(ErrorCode::kBadInput,
         "expected Y's scale and zero point and (tensor, scale, zero point) for each input, found "
         "{} operands",
         operand_count);
  }
  std::vector<size_t> operands;
  for (size_t i = kFirstPart; i < operand_count; i += kOperandsPerPart) operands.push_back(i);
  return operands;
}

}  // namespace

void infer_qlinear_concat(InferContext& context) {
  std::vector<const ValueFacts*> parts;
  static const ValueFacts kUnknown;
  for (const size_t operand : part_operands(context.input_count())) {
    parts.push_back(context.has(operand) ? &context.facts(operand) : &kUnknown);
  }
  InferContext concat_context(context.node(), kConcatVersion, std::move(parts), {});
  infer_concat(concat_context);
  const ir::Type& joined = concat_context.outputs().at(0).type;
  context.set(0, context.has(1) ? context.element(1) : joined.element, joined.shape);
}

void qlinear_concat(KernelContext& context) {
  const std::vector<size_t> operands = part_operands(context.input_count());
  const ir::DataType type = context.input(operands.front()).type();
  const TensorQuantization to = tensor_quantization(context, 0, type);
  std::vector<RuntimeValue> parts;
  for (const size_t operand : operands) {
    const ir::Tensor& x = context.input(operand);
    require_same_type(context.input(operands.front()), x, "QLinearConcat");
    const TensorQuantization from = tensor_quantization(context, operand + 1, type);
    parts.emplace_back(mapped(x, requantizing_map(type, from, to)));
  }
  std::vector<const RuntimeValue*> inputs;
  for (const RuntimeValue& part : parts) inputs.push_back(&part);
  KernelContext concat_context(context.node(), kConcatVersion, std::move(inputs), nullptr);
  concat(concat_context);
  context.set_output(0, std::move(concat_context.outputs().at(0)));
}

// Operands: condition, X, its scale and zero point, Y, its scale and zero point, Z's scale and zero
// point.
void infer_qlinear_where(InferContext& context) {
  const ir::DataType element = context.has(1) ? context.element(1) : context.element(4);
  const ir::Shape* condition = context.shape(0);
  const ir::Shape* x = context.shape(1);
  const ir::Shape* y = context.shape(4);
  if (condition == nullptr || x == nullptr || y == nullptr) return context.set(0, element);
  context.set(0, element, broadcast_shapes(broadcast_shapes(*condition, *x), *y));
}

void qlinear_where(KernelContext& context) {
  const ir::Tensor& condition = context.input(0);
  const ir::Tensor& x = context.input(1);
  const ir::Tensor& y = context.input(4);
  const ir::DataType type = x.type();
  require_same_type(x, y, "QLinearWhere");
  if (condition.type() != ir::DataType::kBool) {
    fail(ErrorCode::kBadInput, "expected a condition of type bool, found {}",
         ir::data_type_name(condition.type()));
  }
  const TensorQuantization to = tensor_quantization(context, 7, type);
  const CodeMap from_x = requantizing_map(type, tensor_quantization(context, 2, type), to);
  const CodeMap from_y = requantizing_map(type, tensor_quantization(context, 5, type), to);
  const ir::Dims dims = broadcast_dims(broadcast_dims(condition.dims(), x.dims()), y.dims());
  ir::Tensor& z = context.output(0, type, dims);
  broadcast_ternary(
      dims, condition.dims(), condition.data<uint8_t>().data(), x.dims(), elements<uint8_t>(x),
      y.dims(), elements<uint8_t>(y), mutable_elements<uint8_t>(z),
      [&](uint8_t chosen, uint8_t a, uint8_t b) { return chosen != 0 ? from_x[a] : from_y[b]; });
}

}  // namespace fettle::ops
