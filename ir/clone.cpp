#include "ir/clone.h"

#include "ir/error.h"

namespace fettle::ir {

std::string GraphCloner::name_in(Graph& into, const std::string& name) const {
  return rules_.value_name ? rules_.value_name(into, name) : name;
}

Value* GraphCloner::mapped(const Value& from, Graph& into) const {
  const auto it = values_.find(&from);
  if (it != values_.end()) return it->second;
  if (!rules_.outer_by_name) return const_cast<Value*>(&from);
  Value* outer = into.resolve(from.name());
  if (outer == nullptr) {
    fail(ErrorCode::kBadInput, "value '{}' is not visible where the graph '{}' is copied to",
         from.name(), into.name);
  }
  return outer;
}

void GraphCloner::copy_constant(const Value& from, Graph& into) {
  if (from.is_input()) {
    if (from.sparse() != nullptr) {
      into.set_initializer(*values_.at(&from), std::make_shared<SparseTensor>(*from.sparse()));
    } else {
      into.set_initializer(*values_.at(&from), *from.stored());
    }
    return;
  }
  const std::string name = name_in(into, from.name());
  Value& to = from.sparse() != nullptr
                  ? into.add_sparse_constant(name, std::make_shared<SparseTensor>(*from.sparse()))
                  : into.add_constant(name, *from.stored());
  to.type = from.type;
  values_[&from] = &to;
}

void GraphCloner::copy_values(const Graph& from, Graph& into) {
  for (const Value* constant : from.constants()) copy_constant(*constant, into);
  for (const Value* value : from.values()) {
    if (value->is_input() || value->has_initializer()) continue;
    values_[value] = &into.add_value(name_in(into, value->name()), value->type);
  }
}

Attribute GraphCloner::copy_attribute(const Attribute& from, Node& owner) {
  Attribute copy = from.copy_without_graphs();
  const auto* graphs = std::get_if<Attribute::Graphs>(&from.payload);
  if (graphs == nullptr) return copy;
  auto& copies = std::get<Attribute::Graphs>(copy.payload);
  for (const auto& graph : *graphs) {
    copies.push_back(std::make_unique<Graph>(&owner.graph()));
    copy_graph(*graph, *copies.back());
  }
  return copy;
}

void GraphCloner::copy_attributes(const Node& from, Node& to) {
  for (const Attribute& attribute : from.attributes()) {
    if (attribute.reference.empty() || !rules_.attribute) {
      to.attributes().push_back(copy_attribute(attribute, to));
      continue;
    }
    const Attribute* meant = rules_.attribute(attribute.reference);
    if (meant == nullptr) continue;
    Attribute copy = copy_attribute(*meant, to);
    copy.name = attribute.name;
    to.attributes().push_back(std::move(copy));
  }
}

Node& GraphCloner::copy_node(const Node& from, Graph& into, Node* after) {
  if (rules_.before_node) rules_.before_node();
  std::vector<Value*> inputs;
  inputs.reserve(from.inputs().size());
  for (const Value* v : from.inputs()) {
    inputs.push_back(v != nullptr ? mapped(*v, into) : nullptr);
  }
  std::vector<std::string> outputs;
  outputs.reserve(from.outputs().size());
  for (const Value* v : from.outputs()) {
    outputs.push_back(v != nullptr ? values_.at(v)->name() : std::string());
  }
  Node& to = after != nullptr ? into.insert_after(*after, from.op_type, inputs, outputs, from.domain)
                              : into.add_node(from.op_type, inputs, outputs, nullptr, from.domain);
  to.name = rules_.node_name ? rules_.node_name(from.name) : from.name;
  to.overload = from.overload;
  to.carry = from.carry;
  copy_attributes(from, to);
  return to;
}

void GraphCloner::copy_graph(const Graph& from, Graph& into) {
  into.name = from.name;
  into.carry = from.carry;
  into.carried_value_info = from.carried_value_info;
  for (const Value* input : from.inputs()) {
    values_[input] = &into.add_input(name_in(into, input->name()), input->type);
  }
  copy_values(from, into);
  for (const Value* value : from.values()) {
    Value& to = *values_.at(value);
    if (to.name() != value->name()) continue;  // the message names the value
    to.carry = value->carry;
    to.value_info_order = value->value_info_order;
  }
  for (const Node& node : from.nodes()) copy_node(node, into, nullptr);
  for (const Value* output : from.outputs()) {
    Value* to = mapped(*output, into);
    if (to == nullptr) {
      fail(ErrorCode::kBadInput, "graph '{}' returns '{}', which is omitted in this call", from.name,
           output->name());
    }
    into.add_output(*to);
  }
}

void GraphCloner::copy_body(const Graph& from, Node& after) {
  Graph& into = after.graph();
  copy_values(from, into);
  Node* last = &after;
  for (const Node& node : from.nodes()) last = &copy_node(node, into, last);
}

namespace {

// Subgraphs within `graph` that return the outer value `old` return `with`.
void redirect_inner_outputs(Graph& graph, const Value& old, Value& with) {
  for_each_graph(graph, [&](Graph& inner) {
    if (&inner == &graph) return;
    for (size_t i = 0; i < inner.outputs().size(); ++i) {
      if (inner.outputs()[i] == &old) inner.set_output(i, with);
    }
  });
}

// A copy of `value` for `node`, made behind the producer of the value if that comes later.
Value& identity_of(Value& value, Node& node) {
  Graph& graph = node.graph();
  Node* producer = &value.graph() == &graph ? value.producer() : nullptr;
  Node& identity = graph.insert_after(producer != nullptr ? *producer : node, "Identity", {&value},
                                      {graph.unique_name(value.name() + "/copy")});
  return *identity.output(0);
}

}  // namespace

void replace_node(Node& node, std::vector<Result> results) {
  Graph& graph = node.graph();
  std::vector<std::pair<Value*, std::string>> renames;
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    Value* old = node.output(i);
    if (old == nullptr) continue;
    auto [with, fresh] = results.at(i);
    FETTLE_ASSERT(with != nullptr);
    for (size_t j = 0; j < i; ++j) fresh = fresh && results[j].value != with;
    if (old->is_graph_output()) {
      if (!fresh) with = &identity_of(*with, node);
      redirect_inner_outputs(graph, *old, *with);
    } else if (fresh) {
      renames.emplace_back(with, old->name());
    }
    const Type type = old->type;
    FETTLE_ASSERT(graph.replace_all_uses(*old, *with));
    if (!with->type.known()) with->type = type;
  }
  graph.erase(node);
  for (const auto& [value, name] : renames) {
    if (!value->is_graph_output()) graph.rename(*value, name);
  }
}

std::unique_ptr<Graph> clone(const Graph& graph, Graph* parent) {
  auto copy = std::make_unique<Graph>(parent);
  GraphCloner().copy_graph(graph, *copy);
  return copy;
}

Model clone(const Model& model) {
  Model copy;
  copy.ir_version = model.ir_version;
  copy.opset_imports = model.opset_imports;
  copy.carry = model.carry;
  copy.path = model.path;
  copy.data_files = model.data_files;
  copy.graph = clone(*model.graph, nullptr);
  for (const Function& f : model.functions) {
    copy.functions.push_back({f.domain, f.name, f.overload, f.attributes, f.opset_imports,
                              clone(*f.body, nullptr), f.carry});
  }
  return copy;
}

}  // namespace fettle::ir
