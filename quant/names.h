// How nodes are named in plans and selected by the user.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"

namespace fettle::quant {

// True when `name` matches `pattern` as a whole; '*' stands for any run of characters, '?' for one.
bool matches_wildcard(std::string_view pattern, std::string_view name);
bool matches_any(const std::vector<std::string>& patterns, std::string_view name);

// The name of every node of a graph in plans: its own where it has one that no other node of the
// graph shares, else that of its first output.
class NodeKeys {
 public:
  explicit NodeKeys(const ir::Graph& graph);
  const std::string& of(const ir::Node& node) const { return keys_.at(&node); }
  // Null when no node has this key.
  ir::Node* find(const std::string& key) const;

 private:
  std::unordered_map<const ir::Node*, std::string> keys_;
  std::unordered_map<std::string, ir::Node*> nodes_;
};

// Runtimes reject a graph in which two nodes have one name. Remembers the nodes of a graph and of
// its subgraphs; those that are added afterwards get names that no other node has.
class NodeNames {
 public:
  explicit NodeNames(ir::Graph& graph);
  void make_new_ones_unique();

 private:
  ir::Graph& graph_;
  std::unordered_set<const ir::Node*> old_;
  std::unordered_set<std::string> taken_;
};

}  // namespace fettle::quant
