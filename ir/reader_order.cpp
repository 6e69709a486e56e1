#include "ir/reader_order.h"

#include <unordered_map>

#include "ir/error.h"

namespace fettle::ir {
namespace {

constexpr size_t kMaxNamed = 8;  // nodes of a cycle that an error names

// Calls `visit(producer)` for each node of `graph` whose output `node` or its subgraphs read.
template <typename Visit>
void for_each_producer(const Graph& graph, const Node& node, Visit&& visit) {
  const auto look = [&](const Value* value) {
    if (value != nullptr && &value->graph() == &graph && value->producer() != nullptr) {
      visit(value->producer());
    }
  };
  for (const Value* value : node.inputs()) look(value);
  for (Graph* sub : node.subgraphs()) {
    for_each_graph(*sub, [&](Graph& inner) {
      for (Node& user : inner.nodes()) {
        for (const Value* value : user.inputs()) look(value);
      }
      for (const Value* value : inner.outputs()) look(value);
    });
  }
}

// Nodes that wait for themselves, directly or not, or for such nodes.
std::vector<Node*> unsortable(const Graph& graph) {
  std::unordered_map<const Node*, size_t> waiting;
  std::unordered_map<const Node*, std::vector<Node*>> users;
  std::vector<Node*> ready;
  for (Node& node : graph.nodes()) {
    size_t& count = waiting[&node];
    for_each_producer(graph, node, [&](Node* producer) {
      ++count;
      users[producer].push_back(&node);
    });
    if (count == 0) ready.push_back(&node);
  }
  while (!ready.empty()) {
    const Node* node = ready.back();
    ready.pop_back();
    for (Node* user : users[node]) {
      if (--waiting[user] == 0) ready.push_back(user);
    }
  }
  std::vector<Node*> left;
  for (Node& node : graph.nodes()) {
    if (waiting[&node] > 0) left.push_back(&node);
  }
  return left;
}

}  // namespace

void sort_or_fail(Graph& graph) {
  const std::vector<Node*> left = unsortable(graph);
  if (left.empty()) {
    FETTLE_ASSERT(graph.sort_topologically());
    return;
  }
  // Every node left has a producer that is left too: walking back ends in the cycle.
  std::unordered_map<const Node*, size_t> waits;
  for (size_t i = 0; i < left.size(); ++i) waits[left[i]] = i;
  std::unordered_map<const Node*, size_t> step;
  std::vector<const Node*> path;
  const Node* node = left.front();
  while (!step.contains(node)) {
    step[node] = path.size();
    path.push_back(node);
    const Node* producer = nullptr;
    for_each_producer(graph, *node, [&](Node* candidate) {
      if (producer == nullptr && waits.contains(candidate)) producer = candidate;
    });
    FETTLE_ASSERT(producer != nullptr);
    node = producer;
  }
  std::string names;
  size_t named = 0;
  for (size_t i = path.size(); i-- > step[node] && named < kMaxNamed; ++named) {
    names += (names.empty() ? "" : ", ") + path[i]->describe();
  }
  fail(ErrorCode::kBadInput, "the nodes of graph '{}' depend on each other in a cycle of {}: {}",
       graph.name, path.size() - step[node], names);
}

}  // namespace fettle::ir
