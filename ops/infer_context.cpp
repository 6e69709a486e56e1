#include "ops/infer_context.h"

#include "ir/error.h"
#include "ops/dims.h"

namespace fettle::ops {

const ir::Type& InferContext::type(size_t i) const {
  static const ir::Type unknown;
  return has(i) ? inputs_[i]->type : unknown;
}

const ir::Shape* InferContext::shape(size_t i) const {
  const ir::Type& t = type(i);
  return t.is_tensor() && t.shape ? &*t.shape : nullptr;
}

const ir::Tensor* InferContext::constant(size_t i) const {
  return has(i) ? inputs_[i]->constant : nullptr;
}

std::optional<Ints> ints_of(const ir::Tensor& tensor) {
  const bool integral = ir::is_integer(tensor.type()) || tensor.type() == ir::DataType::kBool;
  if (!integral || tensor.rank() > 1 || tensor.size() > kMaxInts) return std::nullopt;
  Ints result;
  for (const int64_t value : ir::elements_as_ints(tensor)) result.push_back(int_of(value));
  return result;
}

std::optional<Ints> InferContext::ints(size_t i) const {
  if (!has(i)) return std::nullopt;
  if (inputs_[i]->ints) return inputs_[i]->ints;
  if (const ir::Tensor* tensor = constant(i)) return ints_of(*tensor);
  const ir::Shape* s = shape(i);
  if (s == nullptr || s->size() > 1) return std::nullopt;
  if (s->empty()) return Ints(1);
  const int64_t count = s->front().value;
  if (count < 0 || count > kMaxInts) return std::nullopt;
  return Ints(static_cast<size_t>(count));
}

std::optional<std::vector<int64_t>> InferContext::known_ints(size_t i) const {
  if (const ir::Tensor* tensor = constant(i)) {
    const bool integral = ir::is_integer(tensor->type()) || tensor->type() == ir::DataType::kBool;
    if (integral) return ir::elements_as_ints(*tensor);
  }
  const std::optional<Ints> known = ints(i);
  if (!known) return std::nullopt;
  std::vector<int64_t> values;
  for (const ir::Dim& d : *known) {
    const std::optional<int64_t> value = int_value(d);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

void InferContext::set(size_t i, ir::DataType element, std::optional<ir::Shape> shape) {
  if (shape) {
    for (const ir::Dim& d : *shape) {
      if (const auto value = int_value(d); value && *value < 0) {
        fail(ErrorCode::kBadInput, "output {} would have a negative dimension in {}", i,
             ir::to_string(*shape));
      }
    }
  }
  set_type(i, ir::Type::tensor(element, std::move(shape)));
}

void InferContext::set_type(size_t i, ir::Type type) {
  if (i < outputs_.size()) outputs_[i].type = std::move(type);
}

void InferContext::set_ints(size_t i, Ints ints) {
  if (i < outputs_.size() && ints.size() <= static_cast<size_t>(kMaxInts)) {
    outputs_[i].ints = std::move(ints);
  }
}

void InferContext::set_constant(size_t i, std::shared_ptr<const ir::Tensor> tensor) {
  if (i >= outputs_.size()) return;
  outputs_[i].constant = tensor.get();
  outputs_[i].holder = std::move(tensor);
}

void InferContext::set_same(size_t i, size_t operand) {
  set_type(i, type(operand));
}

void InferContext::set_alias(size_t i, size_t operand) {
  if (i < outputs_.size() && has(operand)) outputs_[i] = *inputs_[operand];
}

}  // namespace fettle::ops
