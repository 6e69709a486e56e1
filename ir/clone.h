// Deep copies of graphs, whole or node by node, with renaming and attribute substitution.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "ir/model.h"

namespace fettle::ir {

// How a copy differs from its source. Empty functions mean "the same".
struct CloneRules {
  // Name in `into` of a value that is called `name` in the source.
  std::function<std::string(Graph& into, const std::string& name)> value_name;
  std::function<std::string(const std::string& name)> node_name;
  // The attribute that a reference (Attribute::reference) stands for, or null to leave it out.
  std::function<const Attribute*(const std::string& reference)> attribute;
  // Where a value from outside the source comes from: by name from the enclosing graphs of the
  // copy, or the very same value.
  bool outer_by_name = true;
  // Called before each node is copied, at any depth; may throw.
  std::function<void()> before_node;
};

// Copies graphs; remembers which value became which, over several calls.
class GraphCloner {
 public:
  explicit GraphCloner(CloneRules rules = {}) : rules_(std::move(rules)) {}

  // `from` becomes `to` (null: the operand is omitted) wherever it is read.
  void bind(const Value& from, Value* to) { values_[&from] = to; }
  // What `from` became; null when omitted. Throws kBadInput when it is not visible from `into`.
  Value* mapped(const Value& from, Graph& into) const;

  // Copies everything into the empty graph `into`.
  void copy_graph(const Graph& from, Graph& into);
  // Copies constants and nodes of `from` (inputs must be bound, outputs stay the caller's concern)
  // behind `after`.
  void copy_body(const Graph& from, Node& after);

 private:
  std::string name_in(Graph& into, const std::string& name) const;
  void copy_constant(const Value& from, Graph& into);
  void copy_values(const Graph& from, Graph& into);
  Node& copy_node(const Node& from, Graph& into, Node* after);
  void copy_attributes(const Node& from, Node& to);
  Attribute copy_attribute(const Attribute& from, Node& owner);

  CloneRules rules_;
  std::unordered_map<const Value*, Value*> values_;
};

// A value that is to stand where an output of a node stood. `fresh`: computed by nodes that were
// inserted for this purpose, so that it has no name of its own to keep.
struct Result {
  Value* value = nullptr;
  bool fresh = false;
};

// Puts `results` in place of the outputs of `node` and erases the node. Fresh values take the names
// of the outputs; others go through an Identity where a graph output would else lose its name.
// Graphs within the node's graph may return its outputs too. Entries for omitted outputs are
// ignored.
void replace_node(Node& node, std::vector<Result> results);

}  // namespace fettle::ir
