#include "ops/run_operator.h"

#include <stdexcept>

#include "ir/float16.h"

namespace fettle::test {
namespace {

const ops::OpDef& row_of(const Operator& op) {
  const ops::OpDef* row = ops::find_op(op.domain, op.name, op.opset);
  if (row == nullptr) throw std::runtime_error("no row for " + op.name);
  return *row;
}

ir::Node& make_node(ir::Graph& graph, Operator& op, const std::vector<bool>& present) {
  std::vector<ir::Value*> operands;
  for (size_t i = 0; i < present.size(); ++i) {
    operands.push_back(present[i] ? &graph.add_input("x" + std::to_string(i), {}) : nullptr);
  }
  std::vector<std::string> outputs;
  for (size_t i = 0; i < op.outputs; ++i) outputs.push_back("y" + std::to_string(i));
  ir::Node& node = graph.add_node(op.name, operands, outputs, nullptr, op.domain);
  for (ir::Attribute& attribute : op.attributes) node.set_attribute(std::move(attribute));
  return node;
}

}  // namespace

std::vector<ir::Tensor> run_operator(Operator op, const std::vector<ir::Tensor>& inputs) {
  std::vector<bool> present;
  std::vector<ops::RuntimeValue> values;
  for (const ir::Tensor& tensor : inputs) {
    present.push_back(tensor.defined());
    values.emplace_back(tensor);
  }
  std::vector<const ops::RuntimeValue*> operands;
  for (size_t i = 0; i < values.size(); ++i) {
    operands.push_back(present[i] ? &values[i] : nullptr);
  }
  ir::Graph graph;
  const ir::Node& node = make_node(graph, op, present);
  ops::KernelContext ctx(node, op.opset, operands, nullptr);
  row_of(op).kernel(ctx);
  std::vector<ir::Tensor> outputs;
  for (const ops::RuntimeValue& value : ctx.outputs()) outputs.push_back(value.tensor);
  return outputs;
}

std::vector<ops::ValueFacts> infer_operator(Operator op,
                                            const std::vector<ops::ValueFacts>& inputs) {
  std::vector<const ops::ValueFacts*> operands;
  for (const ops::ValueFacts& facts : inputs) operands.push_back(&facts);
  ir::Graph graph;
  const ir::Node& node = make_node(graph, op, std::vector<bool>(inputs.size(), true));
  ops::InferContext ctx(node, op.opset, operands, nullptr);
  row_of(op).infer(ctx);
  return ctx.outputs();
}

ops::ValueFacts tensor_facts(ir::DataType element, ir::Shape shape) {
  ops::ValueFacts facts;
  facts.type = ir::Type::tensor(element, std::move(shape));
  return facts;
}

std::vector<double> numbers(const ir::Tensor& tensor) {
  std::vector<double> out;
  for (int64_t i = 0; i < tensor.size(); ++i) out.push_back(ir::element_as_double(tensor, i));
  return out;
}

ir::Tensor half_tensor(ir::Dims dims, const std::vector<float>& values) {
  std::vector<ir::Float16> halves;
  for (const float v : values) halves.emplace_back(v);
  return ir::Tensor::of<ir::Float16>(std::move(dims), halves);
}

}  // namespace fettle::test
