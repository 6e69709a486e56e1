// The graph: nodes in topological order, values with their producer and uses, constants, and the
// few edits that passes need. ir/model.h holds what surrounds the main graph.
//
// Ownership: a Graph owns its nodes and values; a node's subgraphs are owned by its attributes.
// A node may use values of enclosing graphs. Pointers stay valid until the thing is erased; an
// erased node stays readable until Graph::purge() so that walks survive edits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/attribute.h"
#include "ir/tensor.h"
#include "ir/type.h"

namespace fettle::ir {

class Graph;
class Node;

// One operand position that reads a value.
struct Use {
  Node* node = nullptr;
  size_t index = 0;
  bool operator==(const Use&) const = default;
};

// A named value: a graph input, a constant (initializer), or an output of a node. A graph input
// with a default (IR < 4 lists every initializer as input) is both input and constant.
class Value {
 public:
  const std::string& name() const { return name_; }
  Type type;  // as declared or inferred; kind kUnknown when neither
  Graph& graph() const { return *graph_; }

  Node* producer() const { return producer_; }          // null for inputs and constants
  size_t output_index() const { return output_index_; }  // which output of the producer
  const std::vector<Use>& uses() const { return uses_; }  // nodes of this graph and its subgraphs
  bool is_input() const { return is_input_; }
  bool is_graph_output() const;  // an output of the graph that owns it (or of one within it)
  // True for an initializer that callers cannot override (not also a graph input).
  bool is_constant() const { return constant_.has_value() && !is_input_; }
  bool has_initializer() const { return constant_.has_value() || sparse_ != nullptr; }
  // The initializer's tensor; requires constant() != nullptr.
  const Tensor* constant() const { return constant_ ? &constant_->tensor : nullptr; }
  const StoredTensor* stored() const { return constant_ ? &*constant_ : nullptr; }
  const SparseTensor* sparse() const { return sparse_.get(); }
  // Replaces the initializer's elements for every use of this value.
  void set_constant(Tensor tensor);

  // Serialized ValueInfoProto as read; kept so that writing is the identity. See reader.cpp.
  std::string carry;
  // Position in the file's list of initializers and of value_info; -1 when not from there.
  int64_t value_info_order = -1;

 private:
  friend class Graph;
  friend class Node;
  Value(Graph& graph, std::string name) : name_(std::move(name)), graph_(&graph) {}
  std::string name_;
  Graph* graph_;
  Node* producer_ = nullptr;
  size_t output_index_ = 0;
  std::vector<Use> uses_;
  size_t output_uses_ = 0;  // how often it is listed in Graph::outputs of any graph
  bool is_input_ = false;
  std::optional<StoredTensor> constant_;
  std::shared_ptr<SparseTensor> sparse_;
};

// One application of an operator. Omitted optional inputs and outputs are null.
class Node {
 public:
  std::string name;
  std::string op_type;
  std::string domain;    // "" is ai.onnx
  std::string overload;  // of the model-local function called
  std::string carry;     // serialized NodeProto without inputs, outputs and attributes

  Graph& graph() const { return *graph_; }
  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  // Input or output `i`, or null when omitted or beyond the end.
  Value* input(size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }
  Value* output(size_t i) const { return i < outputs_.size() ? outputs_[i] : nullptr; }
  // Makes input `i` read `value` (may be null); grows the list when needed.
  void set_input(size_t i, Value* value);
  void remove_trailing_input();
  // True for this operator of the default domain ("" and "ai.onnx" are the same).
  bool is(std::string_view op) const { return op_type == op && is_default_domain(); }
  bool is_default_domain() const { return domain.empty() || domain == "ai.onnx"; }
  bool erased() const { return erased_; }

  const std::vector<Attribute>& attributes() const { return attributes_; }
  std::vector<Attribute>& attributes() { return attributes_; }
  const Attribute* find_attribute(std::string_view attribute) const;
  void set_attribute(Attribute attribute);  // replaces one of the same name
  void remove_attribute(std::string_view attribute);
  // Values with a default; throw kBadInput when the attribute has another type.
  int64_t attr_int(std::string_view attribute, int64_t fallback) const;
  float attr_float(std::string_view attribute, float fallback) const;
  std::string attr_string(std::string_view attribute, std::string fallback) const;
  // Empty when absent.
  std::vector<int64_t> attr_ints(std::string_view attribute) const;
  std::vector<float> attr_floats(std::string_view attribute) const;
  std::vector<std::string> attr_strings(std::string_view attribute) const;
  // Null when absent.
  const Tensor* attr_tensor(std::string_view attribute) const;
  Graph* attr_graph(std::string_view attribute) const;
  bool has_attribute(std::string_view attribute) const { return find_attribute(attribute); }
  // All subgraphs, in attribute order.
  std::vector<Graph*> subgraphs() const;
  // "node 'conv1' (Conv)"; the first output's name stands in for a missing name.
  std::string describe() const;

 private:
  friend class Graph;
  friend class NodeRange;
  Node() = default;
  Graph* graph_ = nullptr;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  std::vector<Attribute> attributes_;
  Node* previous_ = nullptr;
  Node* next_ = nullptr;
  bool erased_ = false;
};

// Walks nodes in order; nodes may be erased or inserted meanwhile. Inserted nodes behind the
// current one are visited.
class NodeRange {
 public:
  class Iterator {
   public:
    explicit Iterator(Node* node) : node_(node) {}
    Node& operator*() const { return *node_; }
    Node* operator->() const { return node_; }
    Iterator& operator++() {
      node_ = following(node_);
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    static Node* following(Node* node);
    Node* node_;
  };
  NodeRange(Node* first, size_t count) : first_(first), count_(count) {}
  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(nullptr); }
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }

 private:
  Node* first_;
  size_t count_;
};

class Graph {
 public:
  // A main graph (parent null) or a subgraph of `parent`.
  explicit Graph(Graph* parent = nullptr);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  std::string name;
  std::string carry;  // serialized GraphProto without what is modelled here
  // value_info entries that name nothing in the graph, or repeat an input or output: kept verbatim
  // as (position, serialized ValueInfoProto).
  std::vector<std::pair<int64_t, std::string>> carried_value_info;

  Graph* parent() const { return parent_; }
  Graph& root();

  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  // Initializers (dense and sparse) in file order, new ones last.
  const std::vector<Value*>& constants() const { return constants_; }
  NodeRange nodes() const { return NodeRange(first_, node_count_); }
  size_t node_count() const { return node_count_; }
  Node* first_node() const { return first_; }
  Node* last_node() const { return last_; }
  // Every value owned by this graph, in order of creation.
  std::vector<Value*> values() const;

  // The value of this name in this graph only, or null.
  Value* find(std::string_view value_name) const;
  // The same, also in the enclosing graphs.
  Value* resolve(std::string_view value_name) const;
  // `base` if it is free in the whole model graph, else base_1, base_2, ...
  std::string unique_name(const std::string& base);

  // Throw kBadInput when the name is taken in this graph.
  Value& add_input(std::string value_name, Type type);
  Value& add_constant(std::string value_name, Tensor tensor);
  Value& add_constant(std::string value_name, StoredTensor stored);
  Value& add_sparse_constant(std::string value_name, std::shared_ptr<SparseTensor> sparse);
  // Gives an existing input a default value.
  void set_initializer(Value& input, StoredTensor stored);
  void set_initializer(Value& input, std::shared_ptr<SparseTensor> sparse);
  // A value without producer yet, for readers and cloners; add_node() may then take it as output.
  Value& add_value(std::string value_name, Type type = {});
  void add_output(Value& value);
  void set_output(size_t index, Value& value);

  // Appends a node (or inserts it before `before`). Empty output names stand for omitted outputs;
  // a name that add_value() made without a producer is taken over. Types are left unknown.
  Node& add_node(std::string op_type, const std::vector<Value*>& inputs,
                 const std::vector<std::string>& output_names, Node* before = nullptr,
                 std::string domain = "");
  // The same after `after`.
  Node& insert_after(Node& after, std::string op_type, const std::vector<Value*>& inputs,
                     const std::vector<std::string>& output_names, std::string domain = "");
  // Moves a node of this graph directly before `before` (null: to the end).
  void move_before(Node& node, Node* before);
  // Takes away the last output of a node; it must have no uses.
  void drop_output(Node& node, size_t index);

  // Makes every user of `old` read `with` instead. Where `old` is a graph output, `with` takes over
  // its name when it may (produced by a node of the same graph, not itself an input or output);
  // when it may not, nothing is changed and false is returned. `old` keeps existing, without uses.
  [[nodiscard]] bool replace_all_uses(Value& old, Value& with);
  // Unlinks a node whose outputs have no uses. It stays readable until purge().
  void erase(Node& node);
  // Removes a value without producer and uses: an unused constant, or an input on request.
  void erase_value(Value& value);
  // Removes the constants that nothing reads and that are no output. Returns their number.
  size_t erase_unused_constants();
  // Makes an input with an initializer a plain constant, which callers cannot override any more.
  void make_plain_constant(Value& input);
  // Frees erased nodes and their values.
  void purge();
  // Renames a value that is neither graph input nor graph output.
  void rename(Value& value, std::string value_name);
  // Re-orders nodes so that producers come before users; false (and unchanged) on a cycle.
  bool sort_topologically();

 private:
  friend class Node;
  Value& new_value(std::string value_name);
  void link(Node* node, Node* before);
  void unlink(Node* node);
  void claim_name(const std::string& value_name);

  Graph* parent_;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  std::vector<Value*> constants_;
  std::vector<std::unique_ptr<Value>> values_;
  std::unordered_map<std::string, Value*> by_name_;
  std::unordered_map<std::string, size_t> used_names_;  // of the root: every name in the tree
  std::unordered_map<std::string, size_t> next_suffix_;
  std::vector<std::unique_ptr<Node>> node_storage_;
  Node* first_ = nullptr;
  Node* last_ = nullptr;
  size_t node_count_ = 0;
};

// Calls `visit(Graph&)` for the graph and every subgraph within it, outer ones first. Iterative.
template <typename Visit>
void for_each_graph(Graph& graph, Visit&& visit) {
  std::vector<Graph*> pending{&graph};
  while (!pending.empty()) {
    Graph* current = pending.back();
    pending.pop_back();
    visit(*current);
    for (Node& node : current->nodes()) {
      for (Graph* sub : node.subgraphs()) pending.push_back(sub);
    }
  }
}

}  // namespace fettle::ir
