// Softmax, LogSoftmax and Hardmax before opset 13 work on the matrix [d0*..*d(axis-1), d(axis)*..].
// From 13 on they work along one axis. Where at most one of the trailing extents differs from 1,
// both mean the same; else the matrix is made explicitly:
//
//   X -> Flatten(axis) -> Softmax(axis = 1) -> Reshape(Shape(X)) -> Y
#include "ir/error.h"
#include "quant/opset_rows.h"

namespace fettle::quant {

namespace {

// The one axis that the flattened rows consist of, or -1 when that is not certain.
int64_t single_axis(const ir::Type& type, int64_t axis) {
  if (!type.shape) return -1;
  const auto rank = static_cast<int64_t>(type.shape->size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return -1;
  int64_t found = axis;
  int64_t wide = 0;
  for (int64_t d = axis; d < rank; ++d) {
    const ir::Dim& dim = (*type.shape)[static_cast<size_t>(d)];
    if (dim.known() && dim.value == 1) continue;
    found = d;
    ++wide;
  }
  return wide <= 1 ? found : -1;
}

}  // namespace

void upgrade_flattening_axis(ir::Node& node) {
  ir::Value* data = node.input(0);
  ir::Value* result = node.output(0);
  if (data == nullptr || result == nullptr) {
    fail(ErrorCode::kBadInput, "expected one input and one output, found less");
  }
  const int64_t axis = node.attr_int("axis", 1);
  const int64_t single = single_axis(data->type, axis);
  node.set_attribute(ir::Attribute("axis", single >= 0 ? single : int64_t{1}));
  if (single >= 0) return;

  ir::Graph& graph = node.graph();
  const std::string base = result->name();
  ir::Node& flatten =
      graph.add_node("Flatten", {data}, {graph.unique_name(base + "_flattened")}, &node);
  flatten.set_attribute(ir::Attribute("axis", axis));
  ir::Node& shape = graph.add_node("Shape", {data}, {graph.unique_name(base + "_shape")}, &node);
  node.set_input(0, flatten.output(0));
  ir::Node& back = graph.insert_after(node, "Reshape", {result, shape.output(0)},
                                      {graph.unique_name(base + "_unflattened")});
  back.output(0)->type = result->type;
  if (!graph.replace_all_uses(*result, *back.output(0))) {
    fail(ErrorCode::kUnsupported, "its output is also an output of an enclosing graph");
  }
  back.set_input(0, result);
  result->type = ir::Type::tensor(result->type.element);
}

}  // namespace fettle::quant
