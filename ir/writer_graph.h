// Graph to GraphProto and FunctionProto. Private header of ir/.
#pragma once

#include "ir/model.h"
#include "ir/tensor_proto.h"

namespace onnx {
class AttributeProto;
class FunctionProto;
class GraphProto;
class ModelProto;
class NodeProto;
}  // namespace onnx

namespace fettle::ir {

// Writes graphs into empty messages; `sink` takes the data of tensors that stay out of them.
class GraphWriter {
 public:
  explicit GraphWriter(TensorSink sink) : sink_(std::move(sink)) {}

  void write_model(const Model& model, onnx::ModelProto& proto) const;

 private:
  void write_graph(const Graph& graph, onnx::GraphProto& proto) const;
  void write_function(const Function& function, onnx::FunctionProto& proto) const;
  void write_node(const Node& node, onnx::NodeProto& proto) const;
  void write_attribute(const Attribute& attribute, onnx::AttributeProto& proto) const;
  void write_payload(const Attribute& attribute, onnx::AttributeProto& proto) const;

  TensorSink sink_;
};

}  // namespace fettle::ir
