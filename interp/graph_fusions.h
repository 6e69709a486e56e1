// The fusions of one graph, and which of its nodes are still needed beside them.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "interp/fusion.h"

namespace fettle::interp {

class GraphFusions : public FusionView {
 public:
  using ConstantLookup = std::function<const ir::Tensor*(const ir::Value&)>;
  using OpsetLookup = std::function<int64_t(const ir::Node&)>;

  // `watched` names values that must be computed as they stand.
  GraphFusions(const ir::Graph& graph, const std::set<std::string>& watched,
               ConstantLookup constants, OpsetLookup opsets);

  // Finds fusions from the first node to the last, then what is dead.
  void find();

  // The fusion that is computed in the place of `node`, or null.
  Fusion* at(const ir::Node& node);
  // True when the node needs no step: a fusion holds it, or nothing reads its outputs.
  bool skipped(const ir::Node& node) const;

  const ir::Tensor* constant(const ir::Value* value) const override;
  int64_t opset(const ir::Node& node) const override { return opsets_(node); }
  const ir::Node* sole_reader(const ir::Value* value) const override;
  std::vector<const ir::Node*> readers(const ir::Value* value) const override;
  bool available_before(const ir::Value* value, const ir::Node& node) const override;
  bool taken(const ir::Node& node) const override { return members_.contains(&node); }

 private:
  void find_live();
  void mark_read(const ir::Node& node);

  const ir::Graph& graph_;
  const std::set<std::string>& watched_;
  ConstantLookup constants_;
  OpsetLookup opsets_;
  std::unordered_map<const ir::Node*, size_t> positions_;
  std::unordered_map<const ir::Node*, Fusion> by_last_;
  std::unordered_set<const ir::Node*> members_;  // of all fusions
  std::unordered_set<const ir::Node*> dead_;
  std::unordered_set<const ir::Value*> read_;
};

}  // namespace fettle::interp
