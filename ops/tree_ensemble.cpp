#include "ops/tree_ensemble.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "ir/error.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

bool follows_true(const TreeNode& n, double x, const std::vector<double>& members) {
  if (n.missing_is_true && std::isnan(x)) return true;
  switch (n.mode) {
    case TreeMode::kLeq:
      return x <= n.split;
    case TreeMode::kLt:
      return x < n.split;
    case TreeMode::kGte:
      return x >= n.split;
    case TreeMode::kGt:
      return x > n.split;
    case TreeMode::kEq:
      return x == n.split;
    case TreeMode::kNeq:
      return x != n.split;
    case TreeMode::kMember:
      // Nothing is equivalent to NaN, which is no member.
      return !std::isnan(x) &&
             std::binary_search(members.begin() + n.begin, members.begin() + n.end, x);
    case TreeMode::kLeaf:
      break;
  }
  return false;
}

template <typename T>
void require_length(const std::vector<T>& list, size_t count, const std::string& name) {
  if (list.size() != count) {
    fail(ErrorCode::kBadInput, "attribute '{}': expected {} entries, found {}", name, count,
         list.size());
  }
}

std::vector<int64_t> int_list(const ir::Node& node, const std::string& name, size_t count) {
  std::vector<int64_t> list = node.attr_ints(name);
  require_length(list, count, name);
  return list;
}

// Missing when absent: all zeros.
std::vector<int64_t> missing_list(const ir::Node& node, size_t count) {
  const std::string name = "nodes_missing_value_tracks_true";
  if (node.attr_ints(name).empty()) return std::vector<int64_t>(count);
  return int_list(node, name, count);
}

// `value` where it is in [0, limit).
int64_t checked_index(int64_t value, int64_t limit, const char* what) {
  if (value < 0 || value >= limit) {
    fail(ErrorCode::kBadInput, "{} {} is not in [0, {})", what, value, limit);
  }
  return value;
}

void set_feature(TreeEnsemble& trees, TreeNode& n, int64_t feature) {
  n.feature = checked_index(feature, INT64_MAX, "feature");
  trees.features = std::max(trees.features, n.feature + 1);
}

TreeMode classic_mode(const std::string& name) {
  static constexpr std::array kNames = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",   "BRANCH_GT",
                                        "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER"};
  if (name == "LEAF") return TreeMode::kLeaf;
  const auto it = std::find(kNames.begin(), kNames.end() - 1, name);
  if (it == kNames.end() - 1) fail(ErrorCode::kBadInput, "nodes_modes: '{}' is no mode", name);
  return static_cast<TreeMode>(it - kNames.begin());
}

using NodeKey = std::pair<int64_t, int64_t>;  // tree, node
using NodeIndex = std::map<NodeKey, int64_t>;

int64_t find(const NodeIndex& index, const NodeKey& key) {
  const auto it = index.find(key);
  if (it == index.end()) {
    fail(ErrorCode::kBadInput, "tree {} has no node {}", key.first, key.second);
  }
  return it->second;
}

// Sorts the votes by leaf and gives every leaf its range. Votes of branches are never reached.
void add_votes(const ir::Node& node, const std::string& prefix, const NodeIndex& index,
               int64_t targets, TreeEnsemble& trees) {
  const std::vector<double> weights = real_list(node, prefix + "_weights");
  const auto tree_ids = int_list(node, prefix + "_treeids", weights.size());
  const auto node_ids = int_list(node, prefix + "_nodeids", weights.size());
  const auto ids = int_list(node, prefix + "_ids", weights.size());
  std::vector<std::pair<int64_t, size_t>> order;  // node, vote
  for (size_t i = 0; i < weights.size(); ++i) {
    checked_index(ids[i], targets, "target");
    order.emplace_back(find(index, {tree_ids[i], node_ids[i]}), i);
  }
  std::sort(order.begin(), order.end());
  for (size_t k = 0; k < order.size(); ++k) {
    const auto [at, i] = order[k];
    TreeNode& leaf = trees.nodes[static_cast<size_t>(at)];
    if (leaf.mode == TreeMode::kLeaf) {
      if (leaf.end == 0) leaf.begin = static_cast<int64_t>(k);
      leaf.end = static_cast<int64_t>(k) + 1;
    }
    trees.votes.push_back({ids[i], weights[i]});
  }
}

std::vector<double> tensor_list(const ir::Node& node, const std::string& name) {
  const ir::Tensor* tensor = node.attr_tensor(name);
  if (tensor == nullptr) return {};
  if (tensor->type() == ir::DataType::kString || ir::is_sub_byte(tensor->type())) {
    fail(ErrorCode::kBadInput, "attribute '{}': expected numbers, found {}", name,
         ir::data_type_name(tensor->type()));
  }
  const ir::Tensor values = as_doubles(*tensor);
  const auto data = values.data<double>();
  return {data.begin(), data.end()};
}

// Gives the i-th kMember node the i-th list of `values`, which NaN ends.
void add_members(const std::vector<double>& values, size_t interior, TreeEnsemble& trees) {
  trees.members = values;
  auto begin = trees.members.begin();
  for (size_t i = 0; i < interior; ++i) {
    TreeNode& n = trees.nodes[i];
    if (n.mode != TreeMode::kMember) continue;
    const auto end =
        std::find_if(begin, trees.members.end(), [](double v) { return std::isnan(v); });
    if (end == trees.members.end() && begin == end) {
      fail(ErrorCode::kBadInput, "membership_values: fewer sets than BRANCH_MEMBER nodes");
    }
    std::sort(begin, end);
    n.begin = begin - trees.members.begin();
    n.end = end - trees.members.begin();
    begin = end == trees.members.end() ? end : end + 1;
  }
}

// A child of a version 5 node: a leaf (stored behind the `interior` nodes) or a node.
int64_t child(int64_t id, bool is_leaf, int64_t interior, int64_t leaves) {
  if (is_leaf) return interior + checked_index(id, leaves, "leaf");
  return checked_index(id, interior, "node");
}

}  // namespace

std::vector<double> real_list(const ir::Node& node, const std::string& name) {
  const std::vector<double> list = tensor_list(node, name + "_as_tensor");
  if (!list.empty()) return list;
  const std::vector<float> floats = node.attr_floats(name);
  return {floats.begin(), floats.end()};
}

const TreeNode& TreeEnsemble::leaf(int64_t root, const double* x) const {
  const TreeNode* n = &nodes[static_cast<size_t>(root)];
  // A path without a cycle visits no node twice.
  for (size_t steps = 0; n->mode != TreeMode::kLeaf; ++steps) {
    if (steps > nodes.size()) fail(ErrorCode::kBadInput, "the nodes of a tree form a cycle");
    n = &nodes[static_cast<size_t>(follows_true(*n, x[n->feature], members) ? n->yes : n->no)];
  }
  return *n;
}

namespace {

// Throws when some node is not below a root, as in a cycle.
void require_reachable(const TreeEnsemble& trees) {
  std::vector<bool> reached(trees.nodes.size());
  std::vector<int64_t> open = trees.roots;
  while (!open.empty()) {
    const auto at = static_cast<size_t>(open.back());
    open.pop_back();
    if (reached[at]) continue;
    reached[at] = true;
    const TreeNode& n = trees.nodes[at];
    if (n.mode != TreeMode::kLeaf) open.insert(open.end(), {n.yes, n.no});
  }
  if (std::find(reached.begin(), reached.end(), false) != reached.end()) {
    fail(ErrorCode::kBadInput, "some nodes are not below the root of their tree");
  }
}

}  // namespace

TreeEnsemble classic_trees(const ir::Node& node, const std::string& prefix, int64_t targets) {
  const std::vector<std::string> modes = node.attr_strings("nodes_modes");
  const size_t count = modes.size();
  const auto tree_ids = int_list(node, "nodes_treeids", count);
  const auto node_ids = int_list(node, "nodes_nodeids", count);
  const auto features = int_list(node, "nodes_featureids", count);
  const auto yes = int_list(node, "nodes_truenodeids", count);
  const auto no = int_list(node, "nodes_falsenodeids", count);
  const auto missing = missing_list(node, count);
  const auto splits = real_list(node, "nodes_values");
  require_length(splits, count, "nodes_values");
  NodeIndex index;
  TreeEnsemble trees;
  trees.nodes.resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (!index.emplace(NodeKey{tree_ids[i], node_ids[i]}, static_cast<int64_t>(i)).second) {
      fail(ErrorCode::kBadInput, "node {} of tree {} occurs twice", node_ids[i], tree_ids[i]);
    }
  }
  std::vector<bool> has_parent(count);
  for (size_t i = 0; i < count; ++i) {
    TreeNode& n = trees.nodes[i];
    n.mode = classic_mode(modes[i]);
    if (n.mode == TreeMode::kLeaf) continue;
    n.missing_is_true = missing[i] != 0;
    n.split = splits[i];
    set_feature(trees, n, features[i]);
    n.yes = find(index, {tree_ids[i], yes[i]});
    n.no = find(index, {tree_ids[i], no[i]});
    has_parent[static_cast<size_t>(n.yes)] = has_parent[static_cast<size_t>(n.no)] = true;
  }
  std::map<int64_t, int64_t> roots;  // by tree
  for (size_t i = 0; i < count; ++i) {
    if (has_parent[i]) continue;
    if (!roots.emplace(tree_ids[i], static_cast<int64_t>(i)).second) {
      fail(ErrorCode::kBadInput, "tree {} has several roots", tree_ids[i]);
    }
  }
  for (const auto& [tree, root] : roots) trees.roots.push_back(root);
  for (const int64_t tree : tree_ids) {
    if (!roots.contains(tree)) fail(ErrorCode::kBadInput, "tree {} has no root", tree);
  }
  require_reachable(trees);
  add_votes(node, prefix, index, targets, trees);
  return trees;
}

TreeEnsemble rooted_trees(const ir::Node& node, int64_t targets) {
  const std::vector<double> modes = tensor_list(node, "nodes_modes");
  const size_t count = modes.size();
  const auto features = int_list(node, "nodes_featureids", count);
  const auto yes = int_list(node, "nodes_truenodeids", count);
  const auto no = int_list(node, "nodes_falsenodeids", count);
  const auto yes_leaf = int_list(node, "nodes_trueleafs", count);
  const auto no_leaf = int_list(node, "nodes_falseleafs", count);
  const auto missing = missing_list(node, count);
  const auto splits = tensor_list(node, "nodes_splits");
  require_length(splits, count, "nodes_splits");
  const auto weights = tensor_list(node, "leaf_weights");
  const auto ids = int_list(node, "leaf_targetids", weights.size());
  const auto interior = static_cast<int64_t>(count);
  const auto leaves = static_cast<int64_t>(weights.size());
  TreeEnsemble trees;
  trees.nodes.resize(count + weights.size());
  for (size_t i = 0; i < count; ++i) {
    TreeNode& n = trees.nodes[i];
    if (!(modes[i] >= 0 && modes[i] <= 6)) {
      fail(ErrorCode::kBadInput, "nodes_modes: {} is not in [0, 6]", modes[i]);
    }
    n.mode = static_cast<TreeMode>(static_cast<int>(modes[i]));
    n.missing_is_true = missing[i] != 0;
    n.split = splits[i];
    set_feature(trees, n, features[i]);
    n.yes = child(yes[i], yes_leaf[i] != 0, interior, leaves);
    n.no = child(no[i], no_leaf[i] != 0, interior, leaves);
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    trees.votes.push_back({checked_index(ids[i], targets, "target"), weights[i]});
    TreeNode& leaf = trees.nodes[count + i];
    leaf.begin = static_cast<int64_t>(i);
    leaf.end = leaf.begin + 1;
  }
  for (const int64_t root : node.attr_ints("tree_roots")) {
    trees.roots.push_back(checked_index(root, interior, "root"));
  }
  add_members(tensor_list(node, "membership_values"), count, trees);
  return trees;
}

}  // namespace fettle::ops
