#include "ir/graph.h"

#include <algorithm>

#include "ir/error.h"

namespace fettle::ir {

Graph::Graph(Graph* parent) : parent_(parent) {}

Graph::~Graph() {
  // Subgraphs hold uses of our values: nodes go first, and none of them looks at a value again.
  node_storage_.clear();
}

Graph& Graph::root() {
  Graph* g = this;
  while (g->parent_ != nullptr) g = g->parent_;
  return *g;
}

std::vector<Value*> Graph::values() const {
  std::vector<Value*> out;
  out.reserve(values_.size());
  for (const auto& v : values_) {
    if (v->producer_ == nullptr || !v->producer_->erased_) out.push_back(v.get());
  }
  return out;
}

Value* Graph::find(std::string_view value_name) const {
  const auto it = by_name_.find(std::string(value_name));
  return it != by_name_.end() ? it->second : nullptr;
}

Value* Graph::resolve(std::string_view value_name) const {
  for (const Graph* g = this; g != nullptr; g = g->parent_) {
    if (Value* v = g->find(value_name)) return v;
  }
  return nullptr;
}

void Graph::claim_name(const std::string& value_name) { ++root().used_names_[value_name]; }

std::string Graph::unique_name(const std::string& base) {
  Graph& top = root();
  if (!base.empty() && !top.used_names_.contains(base)) return base;
  size_t& suffix = top.next_suffix_[base];
  for (;;) {
    std::string candidate = base + "_" + std::to_string(++suffix);
    if (!top.used_names_.contains(candidate)) return candidate;
  }
}

Value& Graph::new_value(std::string value_name) {
  if (by_name_.contains(value_name)) {
    fail(ErrorCode::kBadInput,
         "value '{}' is defined more than once in graph '{}'; every name must be unique",
         value_name, name);
  }
  values_.emplace_back(new Value(*this, std::move(value_name)));
  Value& v = *values_.back();
  by_name_.emplace(v.name_, &v);
  claim_name(v.name_);
  return v;
}

Value& Graph::add_value(std::string value_name, Type type) {
  Value& v = new_value(std::move(value_name));
  v.type = std::move(type);
  return v;
}

Value& Graph::add_input(std::string value_name, Type type) {
  Value& v = add_value(std::move(value_name), std::move(type));
  v.is_input_ = true;
  inputs_.push_back(&v);
  return v;
}

Value& Graph::add_constant(std::string value_name, Tensor tensor) {
  return add_constant(std::move(value_name), StoredTensor{std::move(tensor), {}, {}});
}

Value& Graph::add_constant(std::string value_name, StoredTensor stored) {
  Value& v = new_value(std::move(value_name));
  v.type = Type::tensor(stored.tensor.type(), shape_of(stored.tensor.dims()));
  v.constant_ = std::move(stored);
  constants_.push_back(&v);
  return v;
}

Value& Graph::add_sparse_constant(std::string value_name, std::shared_ptr<SparseTensor> sparse) {
  Value& v = new_value(std::move(value_name));
  v.type = Type::tensor(sparse->values.tensor.type(), shape_of(sparse->dims));
  v.sparse_ = std::move(sparse);
  constants_.push_back(&v);
  return v;
}

void Graph::set_initializer(Value& input, StoredTensor stored) {
  FETTLE_ASSERT(input.graph_ == this && input.is_input_ && !input.has_initializer());
  if (!input.type.known()) {
    input.type = Type::tensor(stored.tensor.type(), shape_of(stored.tensor.dims()));
  }
  input.constant_ = std::move(stored);
  constants_.push_back(&input);
}

void Graph::set_initializer(Value& input, std::shared_ptr<SparseTensor> sparse) {
  FETTLE_ASSERT(input.graph_ == this && input.is_input_ && !input.has_initializer());
  if (!input.type.known()) {
    input.type = Type::tensor(sparse->values.tensor.type(), shape_of(sparse->dims));
  }
  input.sparse_ = std::move(sparse);
  constants_.push_back(&input);
}

void Graph::add_output(Value& value) {
  outputs_.push_back(&value);
  ++value.output_uses_;
}

void Graph::set_output(size_t index, Value& value) {
  FETTLE_ASSERT(index < outputs_.size());
  --outputs_[index]->output_uses_;
  outputs_[index] = &value;
  ++value.output_uses_;
}

void Graph::link(Node* node, Node* before) {
  node->next_ = before;
  node->previous_ = before != nullptr ? before->previous_ : last_;
  (node->previous_ != nullptr ? node->previous_->next_ : first_) = node;
  (before != nullptr ? before->previous_ : last_) = node;
  ++node_count_;
}

void Graph::unlink(Node* node) {
  (node->previous_ != nullptr ? node->previous_->next_ : first_) = node->next_;
  (node->next_ != nullptr ? node->next_->previous_ : last_) = node->previous_;
  --node_count_;
}

Node& Graph::add_node(std::string op_type, const std::vector<Value*>& inputs,
                      const std::vector<std::string>& output_names, Node* before,
                      std::string domain) {
  FETTLE_ASSERT(before == nullptr || before->graph_ == this);
  node_storage_.emplace_back(new Node());
  Node& node = *node_storage_.back();
  node.graph_ = this;
  node.op_type = std::move(op_type);
  node.domain = std::move(domain);
  node.inputs_.resize(inputs.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i) node.set_input(i, inputs[i]);
  for (size_t i = 0; i < output_names.size(); ++i) {
    if (output_names[i].empty()) {
      node.outputs_.push_back(nullptr);
      continue;
    }
    Value* v = find(output_names[i]);
    const bool free = v != nullptr && v->producer_ == nullptr && !v->is_input_ &&
                      !v->has_initializer();
    if (!free) v = &new_value(output_names[i]);
    v->producer_ = &node;
    v->output_index_ = i;
    node.outputs_.push_back(v);
  }
  link(&node, before);
  return node;
}

Node& Graph::insert_after(Node& after, std::string op_type, const std::vector<Value*>& inputs,
                          const std::vector<std::string>& output_names, std::string domain) {
  return add_node(std::move(op_type), inputs, output_names, after.next_, std::move(domain));
}

void Graph::move_before(Node& node, Node* before) {
  FETTLE_ASSERT(node.graph_ == this && !node.erased_ && &node != before);
  unlink(&node);
  link(&node, before);
}

void Graph::drop_output(Node& node, size_t index) {
  FETTLE_ASSERT(index + 1 == node.outputs_.size());
  Value* v = node.outputs_.back();
  node.outputs_.pop_back();
  if (v == nullptr) return;
  FETTLE_ASSERT(v->uses_.empty() && v->output_uses_ == 0);
  v->producer_ = nullptr;
  erase_value(*v);
}

bool Graph::replace_all_uses(Value& old, Value& with) {
  FETTLE_ASSERT(&old != &with);
  if (old.output_uses_ > 0) {
    Graph& owner = *old.graph_;
    const bool may_rename = with.graph_ == &owner && with.producer_ != nullptr &&
                            !with.is_input_ && with.output_uses_ == 0 && !old.is_input_;
    const auto own_uses = std::count(owner.outputs_.begin(), owner.outputs_.end(), &old);
    if (!may_rename || static_cast<size_t>(own_uses) != old.output_uses_) return false;
    for (size_t i = 0; i < owner.outputs_.size(); ++i) {
      if (owner.outputs_[i] == &old) owner.set_output(i, with);
    }
    std::swap(old.name_, with.name_);
    owner.by_name_[old.name_] = &old;
    owner.by_name_[with.name_] = &with;
    std::swap(old.carry, with.carry);
    std::swap(old.value_info_order, with.value_info_order);
    if (old.type.known()) with.type = old.type;
  }
  const std::vector<Use> uses = old.uses_;
  for (const Use& use : uses) use.node->set_input(use.index, &with);
  return true;
}

void Graph::erase(Node& node) {
  FETTLE_ASSERT(node.graph_ == this && !node.erased_);
  for (Value* v : node.outputs_) {
    if (v == nullptr) continue;
    FETTLE_ASSERT(v->uses_.empty() && v->output_uses_ == 0);
    by_name_.erase(v->name_);
  }
  for (size_t i = 0; i < node.inputs_.size(); ++i) node.set_input(i, nullptr);
  // Uses that its subgraphs make of outer values end here too.
  for (Graph* sub : node.subgraphs()) {
    for_each_graph(*sub, [](Graph& g) {
      for (Node& inner : g.nodes()) {
        for (size_t i = 0; i < inner.inputs_.size(); ++i) inner.set_input(i, nullptr);
      }
      for (Value* v : g.outputs_) --v->output_uses_;
      g.outputs_.clear();
    });
  }
  unlink(&node);
  node.erased_ = true;
}

void Graph::erase_value(Value& value) {
  FETTLE_ASSERT(value.graph_ == this && value.producer_ == nullptr);
  FETTLE_ASSERT(value.uses_.empty() && value.output_uses_ == 0);
  by_name_.erase(value.name_);
  std::erase(inputs_, &value);
  std::erase(constants_, &value);
  std::erase_if(values_, [&](const auto& v) { return v.get() == &value; });
}

size_t Graph::erase_unused_constants() {
  const auto unused = [](const Value* v) {
    return v->uses_.empty() && v->output_uses_ == 0 && v->has_initializer() && !v->is_input_;
  };
  const size_t before = constants_.size();
  for (const Value* v : constants_) {
    if (unused(v)) by_name_.erase(v->name_);
  }
  std::erase_if(constants_, unused);
  if (constants_.size() == before) return 0;
  std::erase_if(values_, [&](const auto& v) { return unused(v.get()); });
  return before - constants_.size();
}

void Graph::make_plain_constant(Value& input) {
  FETTLE_ASSERT(input.graph_ == this && input.is_input_ && input.constant_.has_value());
  std::erase(inputs_, &input);
  input.is_input_ = false;
  input.carry.clear();
  input.type = Type::tensor(input.constant_->tensor.type(), shape_of(input.constant_->tensor.dims()));
}

void Graph::purge() {
  std::erase_if(values_, [](const auto& v) { return v->producer_ && v->producer_->erased_; });
  std::erase_if(node_storage_, [](const auto& n) { return n->erased_; });
}

void Graph::rename(Value& value, std::string value_name) {
  FETTLE_ASSERT(value.graph_ == this && !value.is_input_ && value.output_uses_ == 0);
  FETTLE_ASSERT(!by_name_.contains(value_name));
  by_name_.erase(value.name_);
  value.name_ = std::move(value_name);
  value.carry.clear();
  by_name_.emplace(value.name_, &value);
  claim_name(value.name_);
}

bool Graph::sort_topologically() {
  // A node waits for the producers, in this graph, of what it and its subgraphs read.
  std::unordered_map<const Node*, size_t> waiting;
  std::unordered_map<const Node*, std::vector<Node*>> users;
  std::vector<Node*> order;
  for (Node& node : nodes()) {
    order.push_back(&node);
    waiting[&node] = 0;
  }
  const auto depend = [&](Node& user, const Value* v) {
    if (v == nullptr || v->graph_ != this || v->producer_ == nullptr || v->producer_ == &user) return;
    ++waiting[&user];
    users[v->producer_].push_back(&user);
  };
  for (Node* node : order) {
    for (const Value* v : node->inputs_) depend(*node, v);
    for (Graph* sub : node->subgraphs()) {
      for_each_graph(*sub, [&](Graph& g) {
        for (Node& inner : g.nodes()) {
          for (const Value* v : inner.inputs_) depend(*node, v);
        }
        for (const Value* v : g.outputs_) depend(*node, v);
      });
    }
  }
  std::vector<Node*> sorted;
  sorted.reserve(order.size());
  // Ready nodes leave in file order, so that a sorted graph stays as it is.
  std::vector<size_t> ready;
  std::unordered_map<const Node*, size_t> position;
  for (size_t i = 0; i < order.size(); ++i) {
    position[order[i]] = i;
    if (waiting[order[i]] == 0) ready.push_back(i);
  }
  std::make_heap(ready.begin(), ready.end(), std::greater<>());
  while (!ready.empty()) {
    std::pop_heap(ready.begin(), ready.end(), std::greater<>());
    Node* node = order[ready.back()];
    ready.pop_back();
    sorted.push_back(node);
    for (Node* user : users[node]) {
      if (--waiting[user] == 0) {
        ready.push_back(position[user]);
        std::push_heap(ready.begin(), ready.end(), std::greater<>());
      }
    }
  }
  if (sorted.size() != order.size()) return false;
  first_ = last_ = nullptr;
  node_count_ = 0;
  for (Node* node : sorted) {
    node->next_ = node->previous_ = nullptr;
  }
  for (Node* node : sorted) link(node, nullptr);
  return true;
}

}  // namespace fettle::ir
