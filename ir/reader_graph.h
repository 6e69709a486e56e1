// GraphProto and FunctionProto to Graph. Private header of ir/.
#pragma once

#include <memory>

#include "ir/model.h"
#include "ir/tensor_proto.h"

namespace onnx {
class AttributeProto;
class FunctionProto;
class GraphProto;
class NodeProto;
class ValueInfoProto;
}  // namespace onnx

namespace fettle::ir {

// Reads one model's graphs; the messages are consumed.
class GraphReader {
 public:
  GraphReader(TensorSource& source, int64_t ir_version)
      : source_(source), ir_version_(ir_version) {}

  std::unique_ptr<Graph> read_graph(onnx::GraphProto& proto, Graph* parent);
  Function read_function(onnx::FunctionProto& proto);

 private:
  void read_inputs(onnx::GraphProto& proto, Graph& graph);
  void read_initializers(onnx::GraphProto& proto, Graph& graph);
  template <typename Nodes>
  void declare_outputs(const Nodes& nodes, Graph& graph);
  template <typename Nodes>
  void read_nodes(Nodes& nodes, Graph& graph);
  void read_node(onnx::NodeProto& proto, Graph& graph);
  std::vector<Value*> read_node_inputs(const onnx::NodeProto& proto, Graph& graph);
  void read_outputs(onnx::GraphProto& proto, Graph& graph);
  void read_value_info(onnx::GraphProto& proto, Graph& graph);
  // The value of this name, noting when it is read before it is produced; null when undefined.
  Value* resolve_use(Graph& graph, const std::string& value_name);
  void order_nodes(Graph& graph);
  Attribute read_attribute(onnx::AttributeProto& proto, Graph& graph);
  void read_payload(onnx::AttributeProto& proto, Graph& graph, Attribute& attribute);
  void read_single_payload(onnx::AttributeProto& proto, Graph& graph, Attribute& attribute);
  void read_list_payload(onnx::AttributeProto& proto, Graph& graph, Attribute& attribute);

  TensorSource& source_;
  int64_t ir_version_;
  std::vector<const Graph*> unsorted_;  // graphs under construction that need sorting
};

}  // namespace fettle::ir
