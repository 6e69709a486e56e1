#include "interp/shape_facts.h"

#include <algorithm>

#include "ir/error.h"

namespace fettle::interp {
namespace {

// The tensor that `facts` describe, when every element of it is known.
std::optional<ir::Tensor> contents(const ops::ValueFacts& facts) {
  if (facts.constant != nullptr) return *facts.constant;
  if (!facts.ints || !facts.type.is_tensor() || !facts.type.shape || facts.type.shape->size() > 1) {
    return std::nullopt;
  }
  std::vector<int64_t> numbers;
  for (const ir::Dim& dim : *facts.ints) {
    if (!dim.known()) return std::nullopt;
    numbers.push_back(dim.value);
  }
  const bool scalar = facts.type.shape->empty();
  if (scalar && numbers.size() != 1) return std::nullopt;
  const ir::Dims dims = scalar ? ir::Dims{} : ir::Dims{static_cast<int64_t>(numbers.size())};
  switch (facts.type.element) {
    case ir::DataType::kInt64:
      return ir::Tensor::of(dims, numbers);
    case ir::DataType::kInt32:
      return ir::Tensor::of(dims, std::vector<int32_t>(numbers.begin(), numbers.end()));
    default:
      return std::nullopt;
  }
}

}  // namespace

void ShapeFacts::set_type(const ir::Value& value, ir::Type type) {
  facts_[&value].type = std::move(type);
}

const ops::ValueFacts& ShapeFacts::facts_of(const ir::Value& value) {
  const auto [it, added] = facts_.try_emplace(&value);
  if (!added) return it->second;
  ops::ValueFacts& facts = it->second;
  if (const ir::Tensor* constant = constants_(value)) {
    facts.type = ir::Type::tensor(constant->type(), ir::shape_of(constant->dims()));
    facts.constant = constant;
    facts.ints = ops::ints_of(*constant);
  } else if (value.type.is_tensor()) {
    facts.type = ir::Type::tensor(value.type.element);  // shapes in files need not hold
  }
  return facts;
}

std::vector<std::optional<ir::Tensor>> ShapeFacts::infer(const ir::Node& node, const ops::OpDef* op,
                                                         int64_t opset) {
  std::vector<std::optional<ir::Tensor>> known(node.outputs().size());
  if (op == nullptr || op->infer == nullptr || !node.subgraphs().empty()) return known;
  for (const ir::Value* value : node.inputs()) {
    if (value != nullptr) facts_of(*value);  // references into the map stay valid
  }
  std::vector<const ops::ValueFacts*> inputs;
  for (const ir::Value* value : node.inputs()) {
    inputs.push_back(value == nullptr ? nullptr : &facts_of(*value));
  }
  ops::InferContext context(node, opset, std::move(inputs), nullptr);
  try {
    op->infer(context);
  } catch (const Error&) {
    return known;  // the kernel tells what is wrong, should the node ever run
  }
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value* output = node.output(i);
    if (output == nullptr) continue;
    ops::ValueFacts& facts = context.outputs()[i];
    known[i] = contents(facts);
    facts_[output] = std::move(facts);
  }
  return known;
}

}  // namespace fettle::interp
