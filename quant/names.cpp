#include "quant/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace fettle::quant {

bool matches_wildcard(std::string_view pattern, std::string_view name) {
  size_t p = 0;
  size_t n = 0;
  size_t star = std::string_view::npos;  // the last '*' seen, and where its match ends so far
  size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& p) { return matches_wildcard(p, name); });
}

NodeKeys::NodeKeys(const ir::Graph& graph) {
  std::unordered_map<std::string, int> count;
  for (const ir::Node& node : graph.nodes()) ++count[node.name];
  std::unordered_map<std::string, int64_t> suffix;
  for (ir::Node& node : graph.nodes()) {
    std::string key = node.name;
    if (key.empty() || count[key] > 1) {
      key = "node";
      for (const ir::Value* v : node.outputs()) {
        if (v == nullptr) continue;
        key = v->name();
        break;
      }
    }
    // A node named like another's output keeps the key; the other is told apart.
    const std::string base = key;
    while (!nodes_.emplace(key, &node).second) key = fmt::format("{}'{}", base, ++suffix[base]);
    keys_.emplace(&node, key);
  }
}

ir::Node* NodeKeys::find(const std::string& key) const {
  const auto it = nodes_.find(key);
  return it != nodes_.end() ? it->second : nullptr;
}

NodeNames::NodeNames(ir::Graph& graph) : graph_(graph) {
  ir::for_each_graph(graph, [this](ir::Graph& g) {
    for (ir::Node& node : g.nodes()) {
      old_.insert(&node);
      taken_.insert(node.name);
    }
  });
}

void NodeNames::make_new_ones_unique() {
  std::unordered_map<std::string, int64_t> suffix;
  ir::for_each_graph(graph_, [&](ir::Graph& g) {
    for (ir::Node& node : g.nodes()) {
      if (node.name.empty() || old_.contains(&node) || taken_.insert(node.name).second) continue;
      const std::string base = node.name;
      do {
        node.name = fmt::format("{}_{}", base, ++suffix[base]);
      } while (!taken_.insert(node.name).second);
    }
  });
}

}  // namespace fettle::quant
