// Runs one operator's reference kernel, or its shape rule, on a node made for the occasion.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/table.h"

namespace fettle::test {

struct Operator {
  std::string name;
  int64_t opset = 17;
  std::vector<ir::Attribute> attributes = {};
  size_t outputs = 1;
  std::string domain = "";
};

// Outputs of the kernel that the opset selects. An undefined tensor stands for an omitted operand.
std::vector<ir::Tensor> run_operator(Operator op, const std::vector<ir::Tensor>& inputs);
// The facts that the shape rule gives about the outputs for operands of these facts.
std::vector<ops::ValueFacts> infer_operator(Operator op,
                                            const std::vector<ops::ValueFacts>& inputs);
// Facts of a tensor of this type and shape.
ops::ValueFacts tensor_facts(ir::DataType element, ir::Shape shape);

// Attributes are not copyable; this collects them.
template <typename... Attributes>
std::vector<ir::Attribute> with(Attributes... attributes) {
  std::vector<ir::Attribute> list;
  (list.push_back(std::move(attributes)), ...);
  return list;
}

template <typename T>
std::vector<T> elements(const ir::Tensor& tensor) {
  const auto data = tensor.data<T>();
  return {data.begin(), data.end()};
}
inline std::vector<bool> booleans(const ir::Tensor& tensor) {
  const auto data = tensor.data<uint8_t>();
  return {data.begin(), data.end()};
}
// Elements of any numeric type as double.
std::vector<double> numbers(const ir::Tensor& tensor);
// A float16 tensor of these values, rounded.
ir::Tensor half_tensor(ir::Dims dims, const std::vector<float>& values);

}  // namespace fettle::test
