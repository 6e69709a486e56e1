#include "ir/reader_graph.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <unordered_set>

#include "ir/error.h"
#include "ir/opset_imports.h"
#include "ir/reader_order.h"
#include "ir/type_proto.h"
#include "ir/wire_format.h"

namespace fettle::ir {
namespace {

// Serialized ValueInfoProto, or nothing when the writer makes the same from name and type.
std::string value_info_carry(const onnx::ValueInfoProto& proto, const Type& type) {
  onnx::ValueInfoProto fresh;
  fresh.set_name(proto.name());
  if (type.known()) type_to_proto(type, *fresh.mutable_type());
  return carry_of(proto, fresh);
}

std::string describe(const onnx::NodeProto& proto) {
  const std::string& label =
      proto.name().empty() && proto.output_size() > 0 ? proto.output(0) : proto.name();
  return fmt::format("node '{}' ({})", label, proto.op_type());
}

void require_name(const std::string& name, const char* what) {
  if (name.empty()) fail(ErrorCode::kBadInput, "{} has no name; expected a unique one", what);
}

// The input for which the initializer `name` is a default; null when it is no input.
Value* find_default(const Graph& graph, const std::string& name) {
  require_name(name, "an initializer");
  Value* existing = graph.find(name);
  if (existing != nullptr && (!existing->is_input() || existing->has_initializer())) {
    fail(ErrorCode::kBadInput, "initializer '{}' is given twice; every name must be unique", name);
  }
  return existing;
}

// Throws when an enclosing graph has produced a value of this name before the subgraph runs.
void refuse_shadowing(const Graph& graph, const std::string& name) {
  const Value* outer = graph.parent() != nullptr ? graph.parent()->resolve(name) : nullptr;
  if (outer == nullptr) return;
  if (outer->producer() != nullptr || outer->is_input() || outer->has_initializer()) {
    fail(ErrorCode::kBadInput,
         "the subgraph produces '{}', which is already a value of an enclosing graph; every name "
         "must be unique",
         name);
  }
}

}  // namespace

std::unique_ptr<Graph> GraphReader::read_graph(onnx::GraphProto& proto, Graph* parent) {
  auto graph = std::make_unique<Graph>(parent);
  graph->name = proto.name();
  read_inputs(proto, *graph);
  read_initializers(proto, *graph);
  declare_outputs(proto.node(), *graph);
  read_nodes(*proto.mutable_node(), *graph);
  read_outputs(proto, *graph);
  read_value_info(proto, *graph);
  order_nodes(*graph);
  proto.clear_node();
  proto.clear_initializer();
  proto.clear_sparse_initializer();
  proto.clear_input();
  proto.clear_output();
  proto.clear_value_info();
  onnx::GraphProto fresh;
  if (!graph->name.empty()) fresh.set_name(graph->name);
  graph->carry = carry_of(proto, fresh);
  return graph;
}

Function GraphReader::read_function(onnx::FunctionProto& proto) try {
  Function function;
  function.domain = proto.domain();
  function.name = proto.name();
  function.overload = unknown_string(proto, kFunctionOverloadField);
  function.attributes.assign(proto.attribute().begin(), proto.attribute().end());
  function.opset_imports = opset_imports(proto.opset_import());
  function.body = std::make_unique<Graph>();
  Graph& body = *function.body;
  body.name = function.name;
  for (const std::string& input : proto.input()) {
    require_name(input, "a function input");
    body.add_input(input, {});
  }
  declare_outputs(proto.node(), body);
  read_nodes(*proto.mutable_node(), body);
  for (const std::string& output : proto.output()) {
    Value* value = body.find(output);
    if (value == nullptr) {
      fail(ErrorCode::kBadInput, "output '{}' is not produced by any node", output);
    }
    body.add_output(*value);
  }
  order_nodes(body);
  proto.clear_input();
  proto.clear_output();
  proto.clear_node();
  function.carry = serialize(proto);
  return function;
} catch (Error& error) {
  throw error.add_context(fmt::format("function '{}.{}'", proto.domain(), proto.name()));
}

void GraphReader::read_inputs(onnx::GraphProto& proto, Graph& graph) {
  for (const auto& input : proto.input()) {
    require_name(input.name(), "a graph input");
    Value& value = graph.add_input(input.name(), type_from_proto(input.type()));
    value.carry = value_info_carry(input, value.type);
  }
}

void GraphReader::read_initializers(onnx::GraphProto& proto, Graph& graph) {
  for (auto& tensor : *proto.mutable_initializer()) {
    const std::string name = tensor.name();
    Value* existing = find_default(graph, name);
    StoredTensor stored = tensor_from_proto(tensor, source_, name);
    tensor.Clear();
    if (existing != nullptr) {
      graph.set_initializer(*existing, std::move(stored));
    } else {
      graph.add_constant(name, std::move(stored));
    }
  }
  for (auto& sparse : *proto.mutable_sparse_initializer()) {
    const std::string name = sparse.values().name();
    Value* existing = find_default(graph, name);
    auto tensor = std::make_shared<SparseTensor>(sparse_from_proto(sparse, source_));
    sparse.Clear();
    if (existing != nullptr) {
      graph.set_initializer(*existing, std::move(tensor));
    } else {
      graph.add_sparse_constant(name, std::move(tensor));
    }
  }
}

template <typename Nodes>
void GraphReader::declare_outputs(const Nodes& nodes, Graph& graph) {
  for (const onnx::NodeProto& node : nodes) {
    for (const std::string& output : node.output()) {
      if (output.empty()) continue;
      if (graph.find(output) != nullptr) {
        fail(ErrorCode::kBadInput,
             "{}: output '{}' is already the name of another value of the graph; every value must "
             "be produced once",
             describe(node), output);
      }
      refuse_shadowing(graph, output);
      graph.add_value(output);
    }
  }
}

template <typename Nodes>
void GraphReader::read_nodes(Nodes& nodes, Graph& graph) {
  for (onnx::NodeProto& node : nodes) {
    try {
      read_node(node, graph);
    } catch (Error& error) {
      throw error.add_context(describe(node));
    }
    node.Clear();
  }
}

Value* GraphReader::resolve_use(Graph& graph, const std::string& value_name) {
  Value* value = graph.resolve(value_name);
  if (value == nullptr) return nullptr;
  const bool produced =
      value->producer() != nullptr || value->is_input() || value->has_initializer();
  const Graph* owner = &value->graph();
  if (!produced && std::find(unsorted_.begin(), unsorted_.end(), owner) == unsorted_.end()) {
    unsorted_.push_back(owner);
  }
  return value;
}

std::vector<Value*> GraphReader::read_node_inputs(const onnx::NodeProto& proto, Graph& graph) {
  std::vector<Value*> inputs;
  inputs.reserve(static_cast<size_t>(proto.input_size()));
  for (const std::string& name : proto.input()) {
    if (name.empty()) {
      inputs.push_back(nullptr);
      continue;
    }
    inputs.push_back(resolve_use(graph, name));
    if (inputs.back() == nullptr) {
      fail(ErrorCode::kBadInput,
           "input '{}' is neither a graph input, an initializer nor the output of a node", name);
    }
  }
  return inputs;
}

void GraphReader::read_node(onnx::NodeProto& proto, Graph& graph) {
  if (proto.op_type().empty()) fail(ErrorCode::kBadInput, "the node names no operator (op_type)");
  const std::vector<Value*> inputs = read_node_inputs(proto, graph);
  std::vector<Attribute> attributes;
  attributes.reserve(static_cast<size_t>(proto.attribute_size()));
  std::unordered_set<std::string> names;
  for (auto& attribute : *proto.mutable_attribute()) {
    if (!names.insert(attribute.name()).second) {
      fail(ErrorCode::kBadInput, "attribute '{}' is given twice", attribute.name());
    }
    attributes.push_back(read_attribute(attribute, graph));
    attribute.Clear();
  }
  Node& node =
      graph.add_node(proto.op_type(), inputs, {proto.output().begin(), proto.output().end()},
                     nullptr, proto.domain());
  node.name = proto.name();
  node.overload = unknown_string(proto, kNodeOverloadField);
  node.attributes() = std::move(attributes);
  proto.clear_input();
  proto.clear_output();
  proto.clear_attribute();
  onnx::NodeProto fresh;
  if (!node.name.empty()) fresh.set_name(node.name);
  fresh.set_op_type(node.op_type);
  if (!node.domain.empty()) fresh.set_domain(node.domain);
  set_unknown_string(fresh, kNodeOverloadField, node.overload);
  node.carry = carry_of(proto, fresh);
}

void GraphReader::read_outputs(onnx::GraphProto& proto, Graph& graph) {
  std::unordered_set<const Value*> seen;
  int64_t index = 0;
  for (const auto& output : proto.output()) {
    require_name(output.name(), "a graph output");
    Value* value = resolve_use(graph, output.name());
    if (value == nullptr) {
      fail(ErrorCode::kBadInput, "graph output '{}' is not produced by any node", output.name());
    }
    graph.add_output(*value);
    const bool own = &value->graph() == &graph && value->producer() != nullptr;
    if (own && seen.insert(value).second) {
      value->type = type_from_proto(output.type());
      value->carry = value_info_carry(output, value->type);
    } else {
      graph.carried_value_info.emplace_back(-1 - index, serialize(output));
    }
    ++index;
  }
}

void GraphReader::read_value_info(onnx::GraphProto& proto, Graph& graph) {
  std::unordered_set<const Value*> taken(graph.inputs().begin(), graph.inputs().end());
  taken.insert(graph.outputs().begin(), graph.outputs().end());
  int64_t index = 0;
  for (const auto& info : proto.value_info()) {
    const int64_t position = index++;
    Value* value = graph.find(info.name());
    Type type = type_from_proto(info.type());
    const bool fits =
        value != nullptr && (!value->has_initializer() || describes(type, value->type));
    if (!fits || !taken.insert(value).second) {
      graph.carried_value_info.emplace_back(position, serialize(info));
      continue;
    }
    value->value_info_order = position;
    value->carry = value_info_carry(info, value->has_initializer() ? value->type : type);
    if (!value->has_initializer()) value->type = std::move(type);
  }
}

void GraphReader::order_nodes(Graph& graph) {
  const auto at = std::find(unsorted_.begin(), unsorted_.end(), &graph);
  if (at == unsorted_.end()) return;
  unsorted_.erase(at);
  sort_or_fail(graph);
}

}  // namespace fettle::ir
