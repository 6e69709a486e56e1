#include "ir/writer_graph.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <map>

#include "ir/opset_imports.h"
#include "ir/type_proto.h"
#include "ir/wire_format.h"

namespace fettle::ir {
namespace {

// Writes the declaration of `value`: as it was read while it still says the same, else anew. A
// repeated declaration (an output listed twice) may differ from the first in its shape.
void write_value_info(const Value& value, const std::string& carry, bool repeated,
                      onnx::ValueInfoProto& proto) {
  parse_carry(proto, carry);
  const Type declared = type_from_proto(proto.type());
  const bool verbatim_type = !carry.empty() && proto.name() == value.name() &&
                             (declared == value.type || !value.type.known() ||
                              (repeated && declared.element == value.type.element) ||
                              (value.has_initializer() && describes(declared, value.type)));
  if (proto.name() != value.name() || !proto.has_name()) proto.set_name(value.name());
  if (!verbatim_type && value.type.known()) type_to_proto(value.type, *proto.mutable_type());
}

void write_outputs(const Graph& graph, onnx::GraphProto& proto) {
  // Outputs that are declared elsewhere too carry a declaration of their own, by -1 - index.
  std::map<int64_t, const std::string*> own;
  for (const auto& [position, bytes] : graph.carried_value_info) {
    if (position < 0) own.emplace(position, &bytes);
  }
  int64_t index = 0;
  for (const Value* value : graph.outputs()) {
    const auto at = own.find(-1 - index++);
    const bool here = &value->graph() == &graph && !value->is_input();
    static const std::string kNone;
    const std::string& carry = at != own.end() ? *at->second : here ? value->carry : kNone;
    write_value_info(*value, carry, at != own.end(), *proto.add_output());
  }
}

void write_value_infos(const Graph& graph, onnx::GraphProto& proto) {
  struct Entry {
    int64_t position;
    const Value* value;
    const std::string* bytes;
  };
  std::vector<Entry> entries;
  for (const Value* value : graph.values()) {
    if (value->value_info_order < 0 || value->is_input()) continue;
    const auto& outputs = graph.outputs();
    if (value->is_graph_output() &&
        std::find(outputs.begin(), outputs.end(), value) != outputs.end()) {
      continue;
    }
    entries.push_back({value->value_info_order, value, nullptr});
  }
  for (const auto& [position, bytes] : graph.carried_value_info) {
    if (position >= 0) entries.push_back({position, nullptr, &bytes});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.position < b.position; });
  for (const Entry& entry : entries) {
    auto* info = proto.add_value_info();
    if (entry.value != nullptr) {
      write_value_info(*entry.value, entry.value->carry, false, *info);
    } else {
      parse_carry(*info, *entry.bytes);
    }
  }
}

// Writes `imports` where they differ from the entries that were carried.
template <typename Imports>
void write_imports(const OpsetImports& imports, Imports* proto) {
  if (opset_imports(*proto) == imports) return;
  const bool same_domains = std::equal(
      imports.begin(), imports.end(), proto->begin(), proto->end(),
      [](const auto& import, const auto& entry) { return import.first == entry.domain(); });
  if (same_domains) {
    for (size_t i = 0; i < imports.size(); ++i) {
      auto* entry = proto->Mutable(static_cast<int>(i));
      if (entry->version() != imports[i].second) entry->set_version(imports[i].second);
    }
    return;
  }
  proto->Clear();
  for (const auto& [domain, version] : imports) {
    auto* entry = proto->Add();
    entry->set_domain(domain);
    entry->set_version(version);
  }
}

}  // namespace

void GraphWriter::write_model(const Model& model, onnx::ModelProto& proto) const {
  parse_carry(proto, model.carry);
  if (!proto.has_ir_version() || proto.ir_version() != model.ir_version) {
    proto.set_ir_version(model.ir_version);
  }
  if (model_opset_imports(proto.opset_import(), model.ir_version) != model.opset_imports) {
    write_imports(model.opset_imports, proto.mutable_opset_import());
  }
  write_graph(*model.graph, *proto.mutable_graph());
  for (const Function& function : model.functions) write_function(function, *proto.add_functions());
}

void GraphWriter::write_graph(const Graph& graph, onnx::GraphProto& proto) const {
  parse_carry(proto, graph.carry);
  if (proto.name() != graph.name) proto.set_name(graph.name);
  for (const Value* input : graph.inputs()) {
    write_value_info(*input, input->carry, false, *proto.add_input());
  }
  for (const Value* constant : graph.constants()) {
    if (constant->sparse() != nullptr) {
      auto* sparse = proto.add_sparse_initializer();
      sparse_to_proto(*constant->sparse(), *sparse, sink_);
      if (sparse->values().name() != constant->name()) {
        sparse->mutable_values()->set_name(constant->name());
      }
    } else {
      tensor_to_proto(*constant->stored(), constant->name(), *proto.add_initializer(), sink_);
    }
  }
  for (const Node& node : graph.nodes()) write_node(node, *proto.add_node());
  write_outputs(graph, proto);
  write_value_infos(graph, proto);
}

void GraphWriter::write_function(const Function& function, onnx::FunctionProto& proto) const {
  parse_carry(proto, function.carry);
  if (proto.domain() != function.domain) proto.set_domain(function.domain);
  if (proto.name() != function.name) proto.set_name(function.name);
  set_unknown_string(proto, kFunctionOverloadField, function.overload);
  const auto& attributes = function.attributes;
  if (!std::equal(attributes.begin(), attributes.end(), proto.attribute().begin(),
                  proto.attribute().end())) {
    proto.clear_attribute();
    for (const std::string& name : attributes) proto.add_attribute(name);
  }
  write_imports(function.opset_imports, proto.mutable_opset_import());
  for (const Value* input : function.body->inputs()) proto.add_input(input->name());
  for (const Value* output : function.body->outputs()) proto.add_output(output->name());
  for (const Node& node : function.body->nodes()) write_node(node, *proto.add_node());
}

void GraphWriter::write_node(const Node& node, onnx::NodeProto& proto) const {
  parse_carry(proto, node.carry);
  if (proto.name() != node.name) proto.set_name(node.name);
  if (proto.op_type() != node.op_type) proto.set_op_type(node.op_type);
  if (proto.domain() != node.domain) proto.set_domain(node.domain);
  set_unknown_string(proto, kNodeOverloadField, node.overload);
  for (const Value* input : node.inputs()) {
    proto.add_input(input != nullptr ? input->name() : std::string());
  }
  for (const Value* output : node.outputs()) {
    proto.add_output(output != nullptr ? output->name() : std::string());
  }
  for (const Attribute& attribute : node.attributes()) {
    write_attribute(attribute, *proto.add_attribute());
  }
}

void GraphWriter::write_attribute(const Attribute& attribute, onnx::AttributeProto& proto) const {
  parse_carry(proto, attribute.carry);
  const bool absent = take_unknown_varint(proto, kAbsentPayloadField).has_value();
  if (proto.name() != attribute.name) proto.set_name(attribute.name);
  const auto type = static_cast<onnx::AttributeProto::AttributeType>(attribute.kind);
  // Files older than IR version 2 have no types; their attributes stay as they are.
  if (proto.type() != type && (proto.has_type() || attribute.carry.empty())) proto.set_type(type);
  if (proto.ref_attr_name() != attribute.reference) proto.set_ref_attr_name(attribute.reference);
  write_payload(attribute, proto);
  if (!absent) return;
  if (proto.has_f() && proto.f() == 0) proto.clear_f();
  if (proto.has_i() && proto.i() == 0) proto.clear_i();
  if (proto.has_s() && proto.s().empty()) proto.clear_s();
}

void GraphWriter::write_payload(const Attribute& attribute, onnx::AttributeProto& proto) const {
  const bool list = attribute.kind == AttributeKind::kGraphs;
  const bool sparse_list = attribute.kind == AttributeKind::kSparseTensors;
  struct Visitor {
    const GraphWriter& writer;
    onnx::AttributeProto& proto;
    bool list;
    bool sparse_list;
    void operator()(std::monostate) const {}
    void operator()(float value) const { proto.set_f(value); }
    void operator()(int64_t value) const { proto.set_i(value); }
    void operator()(const std::string& value) const { proto.set_s(value); }
    void operator()(const StoredTensor& value) const {
      tensor_to_proto(value, {}, *proto.mutable_t(), writer.sink_);
    }
    void operator()(const Attribute::Graphs& graphs) const {
      for (const auto& graph : graphs) {
        writer.write_graph(*graph, list ? *proto.add_graphs() : *proto.mutable_g());
      }
    }
    void operator()(const std::vector<float>& values) const {
      proto.mutable_floats()->Add(values.begin(), values.end());
    }
    void operator()(const std::vector<int64_t>& values) const {
      proto.mutable_ints()->Add(values.begin(), values.end());
    }
    void operator()(const std::vector<std::string>& values) const {
      for (const std::string& value : values) proto.add_strings(value);
    }
    void operator()(const std::vector<StoredTensor>& values) const {
      for (const StoredTensor& value : values) {
        tensor_to_proto(value, {}, *proto.add_tensors(), writer.sink_);
      }
    }
    void operator()(const std::vector<SparseTensor>& values) const {
      for (const SparseTensor& value : values) {
        sparse_to_proto(value,
                        sparse_list ? *proto.add_sparse_tensors() : *proto.mutable_sparse_tensor(),
                        writer.sink_);
      }
    }
  };
  std::visit(Visitor{*this, proto, list, sparse_list}, attribute.payload);
}

}  // namespace fettle::ir
