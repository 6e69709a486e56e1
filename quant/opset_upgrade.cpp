#include "quant/opset_upgrade.h"

#include <algorithm>
#include <vector>

#include "ir/error.h"
#include "ops/infer.h"
#include "quant/opset_rows.h"

namespace fettle::quant {

namespace {

void check_upgradable(const ir::Model& model, int64_t from, int64_t target) {
  if (from < kOldestUpgradableOpset) {
    fail(ErrorCode::kUnsupported, "opset {}: expected {} or newer; export the model again", from,
         kOldestUpgradableOpset);
  }
  if (target > kNewestUpgradeTarget) {
    fail(ErrorCode::kUnsupported, "raising the opset to {}: expected at most {}", target,
         kNewestUpgradeTarget);
  }
  for (const ir::Function& function : model.functions) {
    for (const auto& [domain, version] : function.opset_imports) {
      if ((domain.empty() || domain == "ai.onnx") && version < target) {
        fail(ErrorCode::kUnsupported,
             "local function '{}' imports opset {}: expected {} or newer; inline functions first",
             function.name, version, target);
      }
    }
  }
}

void upgrade_node(ir::Node& node, int64_t from, int64_t target) {
  for (const UpgradeRow& row : upgrade_rows()) {
    if (row.version <= from || row.version > target || row.op != node.op_type) continue;
    try {
      row.rewrite(node);
    } catch (Error& error) {
      error.add_context(node.describe());
      throw;
    }
  }
}

// Nodes are listed first, because rules insert others that have the new form already.
void upgrade_graph(ir::Graph& graph, int64_t from, int64_t target) {
  std::vector<ir::Node*> nodes;
  for (ir::Node& node : graph.nodes()) {
    if (node.is_default_domain()) nodes.push_back(&node);
  }
  for (ir::Node* node : nodes) upgrade_node(*node, from, target);
}

}  // namespace

void upgrade_opset(ir::Model& model, int64_t target) {
  const int64_t from = model.opset();
  if (from >= target) return;
  check_upgradable(model, from, target);
  ops::infer_shapes(model);
  std::vector<ir::Graph*> graphs;
  ir::for_each_graph(*model.graph, [&](ir::Graph& graph) { graphs.push_back(&graph); });
  for (ir::Graph* graph : graphs) upgrade_graph(*graph, from, target);
  model.set_opset("", target);
  model.ir_version = std::max<int64_t>(model.ir_version, target <= 14 ? 7 : 8);
}

}  // namespace fettle::quant
