// Decision trees of ai.onnx.ml: the nodes of all its encodings in one form, checked, and the walk
// from the root of a tree to its leaf.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace fettle::ops {

// In the order in which TreeEnsemble numbers them; a leaf compares nothing.
enum class TreeMode : uint8_t { kLeq, kLt, kGte, kGt, kEq, kNeq, kMember, kLeaf };

struct TreeNode {
  TreeMode mode = TreeMode::kLeaf;
  bool missing_is_true = false;  // where NaN goes
  int64_t feature = 0;
  double split = 0;
  int64_t yes = 0;  // nodes
  int64_t no = 0;
  // Of a leaf, its votes; of kMember, the sorted members: [begin, end).
  int64_t begin = 0;
  int64_t end = 0;
};

// What a leaf adds to one target.
struct TreeVote {
  int64_t target = 0;
  double weight = 0;
};

struct TreeEnsemble {
  std::vector<TreeNode> nodes;
  std::vector<int64_t> roots;
  std::vector<TreeVote> votes;
  std::vector<double> members;
  int64_t features = 0;  // that the nodes refer to

  // The leaf that sample `x` (at least `features` numbers) reaches from `root`. Throws kBadInput
  // when the path does not end.
  const TreeNode& leaf(int64_t root, const double* x) const;
};

// From the nodes_* attributes of TreeEnsembleClassifier and -Regressor, with the votes of the
// attributes `prefix`_treeids, _nodeids, _ids and _weights; targets are in [0, targets). Throws
// kBadInput for lists of different lengths and references to nodes that do not exist.
TreeEnsemble classic_trees(const ir::Node& node, const std::string& prefix, int64_t targets);
// From the attributes of TreeEnsemble (version 5).
TreeEnsemble rooted_trees(const ir::Node& node, int64_t targets);

// Attribute `name`_as_tensor or `name`; empty when neither is there.
std::vector<double> real_list(const ir::Node& node, const std::string& name);

}  // namespace fettle::ops
