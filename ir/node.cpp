#include <fmt/format.h>

#include <algorithm>

#include "ir/error.h"
#include "ir/graph.h"

namespace fettle::ir {
namespace {

template <typename T>
const T* payload_of(const Node& node, std::string_view name) {
  const Attribute* attribute = node.find_attribute(name);
  if (attribute == nullptr) return nullptr;
  const T* payload = std::get_if<T>(&attribute->payload);
  if (payload == nullptr) {
    // An empty list carries no payload to tell its kind by in old files.
    fail(ErrorCode::kBadInput, "{}: attribute '{}' has an unexpected type (kind {})",
         node.describe(), name, static_cast<int>(attribute->kind));
  }
  return payload;
}

}  // namespace

void Value::set_constant(Tensor tensor) {
  FETTLE_ASSERT(constant_.has_value());
  constant_->tensor = std::move(tensor);
  if (constant_->encoding == TensorEncoding::kTyped) constant_->encoding = TensorEncoding::kRaw;
  type = Type::tensor(constant_->tensor.type(), shape_of(constant_->tensor.dims()));
}

bool Value::is_graph_output() const { return output_uses_ > 0; }

void Node::set_input(size_t i, Value* value) {
  if (i >= inputs_.size()) inputs_.resize(i + 1, nullptr);
  Value* old = inputs_[i];
  if (old == value) return;
  if (old != nullptr) {
    const auto at = std::find(old->uses_.begin(), old->uses_.end(), Use{this, i});
    FETTLE_ASSERT(at != old->uses_.end());
    old->uses_.erase(at);
  }
  inputs_[i] = value;
  if (value != nullptr) value->uses_.push_back(Use{this, i});
}

void Node::remove_trailing_input() {
  FETTLE_ASSERT(!inputs_.empty());
  set_input(inputs_.size() - 1, nullptr);
  inputs_.pop_back();
}

const Attribute* Node::find_attribute(std::string_view attribute) const {
  for (const Attribute& a : attributes_) {
    if (a.name == attribute) return &a;
  }
  return nullptr;
}

void Node::set_attribute(Attribute attribute) {
  for (Attribute& a : attributes_) {
    if (a.name == attribute.name) {
      a = std::move(attribute);
      return;
    }
  }
  attributes_.push_back(std::move(attribute));
}

void Node::remove_attribute(std::string_view attribute) {
  std::erase_if(attributes_, [&](const Attribute& a) { return a.name == attribute; });
}

int64_t Node::attr_int(std::string_view attribute, int64_t fallback) const {
  const auto* p = payload_of<int64_t>(*this, attribute);
  return p != nullptr ? *p : fallback;
}
float Node::attr_float(std::string_view attribute, float fallback) const {
  const auto* p = payload_of<float>(*this, attribute);
  return p != nullptr ? *p : fallback;
}
std::string Node::attr_string(std::string_view attribute, std::string fallback) const {
  const auto* p = payload_of<std::string>(*this, attribute);
  return p != nullptr ? *p : fallback;
}
std::vector<int64_t> Node::attr_ints(std::string_view attribute) const {
  const auto* p = payload_of<std::vector<int64_t>>(*this, attribute);
  return p != nullptr ? *p : std::vector<int64_t>{};
}
std::vector<float> Node::attr_floats(std::string_view attribute) const {
  const auto* p = payload_of<std::vector<float>>(*this, attribute);
  return p != nullptr ? *p : std::vector<float>{};
}
std::vector<std::string> Node::attr_strings(std::string_view attribute) const {
  const auto* p = payload_of<std::vector<std::string>>(*this, attribute);
  return p != nullptr ? *p : std::vector<std::string>{};
}
const Tensor* Node::attr_tensor(std::string_view attribute) const {
  const auto* p = payload_of<StoredTensor>(*this, attribute);
  return p != nullptr ? &p->tensor : nullptr;
}
Graph* Node::attr_graph(std::string_view attribute) const {
  const auto* p = payload_of<Attribute::Graphs>(*this, attribute);
  return p != nullptr && !p->empty() ? p->front().get() : nullptr;
}

std::vector<Graph*> Node::subgraphs() const {
  std::vector<Graph*> graphs;
  for (const Attribute& a : attributes_) {
    if (const auto* p = std::get_if<Attribute::Graphs>(&a.payload)) {
      for (const auto& graph : *p) graphs.push_back(graph.get());
    }
  }
  return graphs;
}

std::string Node::describe() const {
  std::string label = name;
  for (const Value* v : outputs_) {
    if (!label.empty()) break;
    if (v != nullptr) label = v->name();
  }
  const std::string type = is_default_domain() ? op_type : domain + "." + op_type;
  return fmt::format("node '{}' ({})", label, type);
}

Node* NodeRange::Iterator::following(Node* node) {
  do {
    node = node->next_;
  } while (node != nullptr && node->erased_);
  return node;
}

}  // namespace fettle::ir
