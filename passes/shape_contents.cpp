#include "passes/shape_contents.h"

#include "ops/dims.h"
#include "ops/infer_merge.h"
#include "passes/rewrite.h"

namespace fettle::passes {

ops::ValueFacts ShapeContents::facts_of(const ir::Value& value) const {
  const auto it = facts_.find(&value);
  if (it != facts_.end()) return it->second;
  ops::ValueFacts facts;
  facts.type = ops::sanitized(value.type);
  if (const ir::Tensor* tensor = known_(&value)) {
    facts.type = ir::Type::tensor(tensor->type(), ir::shape_of(tensor->dims()));
    facts.constant = tensor;
  }
  return facts;
}

const ops::Ints* ShapeContents::infer(const ir::Node& node, const ops::OpDef& op) {
  const ir::Value* out = node.output(0);
  const ir::Shape* shape = shape_of(out);
  if (op.infer == nullptr || node.outputs().size() != 1 || shape == nullptr || shape->size() > 1 ||
      !ir::is_integer(out->type.element) || !node.subgraphs().empty()) {
    return nullptr;
  }
  std::vector<ops::ValueFacts> facts;
  facts.reserve(node.inputs().size());
  std::vector<const ops::ValueFacts*> inputs;
  for (const ir::Value* v : node.inputs()) {
    if (v != nullptr) facts.push_back(facts_of(*v));
    inputs.push_back(v != nullptr ? &facts.back() : nullptr);
  }
  ops::InferContext context(node, context_.opset(node), std::move(inputs), nullptr);
  op.infer(context);
  ops::ValueFacts& found = context.outputs()[0];
  if (!found.ints) return nullptr;
  found.type = ops::sanitized(out->type);
  ops::ValueFacts& kept = facts_[out] = std::move(found);
  return &*kept.ints;
}

std::optional<ops::Ints> ShapeContents::of(const ir::Value* value) const {
  if (value == nullptr) return std::nullopt;
  const auto it = facts_.find(value);
  if (it != facts_.end()) return it->second.ints;
  const ir::Tensor* tensor = known_(value);
  return tensor != nullptr ? ops::ints_of(*tensor) : std::nullopt;
}

}  // namespace fettle::passes
