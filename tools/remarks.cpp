#include "tools/remarks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "quant/names.h"

namespace fettle::tools {
namespace {

std::set<std::string> node_names(const ir::Graph& graph, bool pruning) {
  const quant::NodeKeys keys(graph);
  std::set<std::string> names;
  for (const ir::Node& node : graph.nodes()) {
    names.insert(keys.of(node));
    if (!pruning) continue;
    names.insert(node.name);
    for (const ir::Value* v : node.outputs()) {
      if (v != nullptr) names.insert(v->name());
    }
    for (const ir::Value* v : node.inputs()) {
      if (v != nullptr && v->has_initializer()) names.insert(v->name());
    }
  }
  return names;
}

void add_unmatched(std::vector<std::string>& notes, const char* option,
                   const std::vector<std::string>& patterns, const std::set<std::string>& names) {
  for (const std::string& pattern : patterns) {
    const bool used = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return quant::matches_any({pattern}, name);
    });
    if (!used) {
      notes.push_back(fmt::format("{} '{}' matches no node of the optimized model", option, pattern));
    }
  }
}

int64_t float_constant_bytes(const ir::Value* v) {
  if (v == nullptr || v->constant() == nullptr || !ir::is_floating(v->constant()->type())) return 0;
  return static_cast<int64_t>(v->constant()->byte_size());
}

// The plan's decision on a node. A MatMul and the Add of its bias are one node of the plan, under the
// key of either.
class Decisions {
 public:
  Decisions(const ir::Graph& graph, const quant::Plan& plan) {
    const quant::NodeKeys keys(graph);
    for (const quant::NodePlan& n : plan.nodes) {
      if (const ir::Node* node = keys.find(n.node)) of_[node] = &n;
    }
  }

  // Null when the plan has none.
  const quant::NodePlan* on(const ir::Node& node) const {
    if (const auto* own = find(node)) return own;
    for (const ir::Value* v : node.outputs()) {
      if (v == nullptr) continue;
      for (const ir::Use& use : v->uses()) {
        if (const auto* next = find(*use.node)) return next;
      }
    }
    for (const ir::Value* v : node.inputs()) {
      if (v == nullptr || v->producer() == nullptr) continue;
      if (const auto* before = find(*v->producer())) return before;
    }
    return nullptr;
  }

 private:
  const quant::NodePlan* find(const ir::Node& node) const {
    const auto it = of_.find(&node);
    return it != of_.end() ? it->second : nullptr;
  }

  std::map<const ir::Node*, const quant::NodePlan*> of_;
};

// "1.2 MiB in LSTM (no integer kernel)" for the types that keep most.
struct Kept {
  int64_t bytes = 0;
  std::string reason;  // of its largest node
  int64_t largest = 0;
};

std::string describe(const std::map<std::string, Kept>& kept) {
  std::vector<std::pair<std::string, Kept>> order(kept.begin(), kept.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  std::string text;
  for (size_t i = 0; i < order.size() && i < 3; ++i) {
    text += fmt::format("{}{} in {} ({})", i > 0 ? "; " : "", report::human_bytes(order[i].second.bytes),
                        order[i].first, order[i].second.reason);
  }
  return text;
}

}  // namespace

std::vector<std::string> idle_options(const ir::Model& model, const quant::Plan& plan,
                                      const QuantizeOptions& options, bool pruning) {
  std::vector<std::string> notes;
  std::set<std::string> types;
  std::set<std::string> names = node_names(*model.graph, pruning);
  for (const ir::Node& node : model.graph->nodes()) types.insert(node.op_type);
  for (const quant::NodePlan& node : plan.nodes) {
    types.insert(node.op_type);
    names.insert(node.node);
  }
  add_unmatched(notes, "--exclude-node", options.plan.exclude_nodes, names);
  add_unmatched(notes, "--exclude-type", options.plan.exclude_types, types);
  const bool fp16 = options.mode == "fp16";
  if (fp16) add_unmatched(notes, "--fp16-block", options.plan.fp16_block_types, types);
  const auto foreign = [&](bool given, const char* option) {
    if (given) notes.push_back(fmt::format("{} has no effect with --mode {}", option, options.mode));
  };
  foreign(!fp16 && !options.plan.fp16_block_types.empty(), "--fp16-block");
  foreign(!fp16 && !options.plan.keep_io_types, "--fp16-io");
  foreign(fp16 && options.per_tensor, "--per-tensor");
  foreign(fp16 && options.plan.reduce_range, "--reduce-range");
  return notes;
}

std::string float_weights_remark(const ir::Model& model, const quant::Plan& plan) {
  if (plan.mode == quant::Mode::kFp16) return "";
  const Decisions decisions(*model.graph, plan);
  std::set<const ir::Value*> seen;
  std::map<std::string, Kept> kept;
  int64_t total = 0;
  int64_t left = 0;
  for (const ir::Node& node : model.graph->nodes()) {
    const quant::NodePlan* decided = decisions.on(node);
    int64_t own = 0;
    for (const ir::Value* v : node.inputs()) {
      const int64_t bytes = float_constant_bytes(v);
      if (bytes == 0 || !seen.insert(v).second) continue;
      total += bytes;
      if (decided == nullptr || decided->decision == "float") own += bytes;
    }
    if (own == 0) continue;
    left += own;
    Kept& of_type = kept[node.op_type];
    of_type.bytes += own;
    if (own <= of_type.largest) continue;
    of_type.largest = own;
    of_type.reason = decided != nullptr ? decided->reason : "not in the plan";
  }
  if (total == 0 || left * 2 <= total) return "";
  return fmt::format("only {:.0f} % of the weight bytes became 8-bit; left in float: {}",
                     100 * static_cast<double>(total - left) / static_cast<double>(total), describe(kept));
}

}  // namespace fettle::tools
