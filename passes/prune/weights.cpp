#include "passes/prune/weights.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_set>

namespace fettle::passes {
namespace {

struct Row {
  std::string_view op;
  std::initializer_list<size_t> operands;  // that may be weights
};
const Row kRows[] = {
    {"Conv", {1}},   {"ConvTranspose", {1}}, {"Gemm", {0, 1}}, {"MatMul", {0, 1}},
    {"LSTM", {1, 2}}, {"GRU", {1, 2}},        {"RNN", {1, 2}},
};

bool is_weight_operand(const ir::Node& node, size_t operand) {
  for (const Row& row : kRows) {
    if (node.is(row.op)) {
      return std::find(row.operands.begin(), row.operands.end(), operand) != row.operands.end();
    }
  }
  return false;
}

bool is_prunable_type(ir::DataType type) {
  return type == ir::DataType::kFloat || type == ir::DataType::kDouble ||
         type == ir::DataType::kFloat16 || type == ir::DataType::kBfloat16;
}

class Search {
 public:
  Search(ir::Model& model, const std::vector<std::string>& exclude)
      : model_(model), exclude_(exclude) {}

  WeightSearch run() {
    ir::for_each_graph(*model_.graph, [this](ir::Graph& graph) {
      for (ir::Node& node : graph.nodes()) {
        for (size_t i = 0; i < node.inputs().size(); ++i) {
          if (is_weight_operand(node, i)) consider(node, node.input(i));
        }
      }
    });
    return std::move(result_);
  }

 private:
  void consider(const ir::Node& node, ir::Value* value) {
    if (value == nullptr || value->constant() == nullptr || seen_.contains(value)) return;
    const ir::Tensor& tensor = *value->constant();
    if (!is_prunable_type(tensor.type()) || tensor.rank() < 2) return;
    seen_.insert(value);
    const std::string reason = objection(*value);
    if (reason.empty()) {
      result_.found.push_back({value, node.describe()});
    } else {
      result_.skipped.push_back({value->name(), reason});
    }
  }

  bool excluded(const std::string& name) const {
    return std::any_of(exclude_.begin(), exclude_.end(),
                       [&](const std::string& pattern) { return matches_pattern(name, pattern); });
  }

  std::string objection(const ir::Value& value) const {
    if (!value.is_constant() && model_.ir_version >= 4) {
      return "it is the default of a graph input, which callers may override";
    }
    if (value.is_graph_output()) return "it is a graph output";
    if (excluded(value.name())) return "excluded by name";
    for (const ir::Use& use : value.uses()) {
      if (!is_weight_operand(*use.node, use.index)) return "also read by " + use.node->describe();
      const ir::Value* out = use.node->output(0);
      if (excluded(use.node->name) || (out != nullptr && excluded(out->name()))) {
        return "excluded with " + use.node->describe();
      }
    }
    return "";
  }

  ir::Model& model_;
  const std::vector<std::string>& exclude_;
  WeightSearch result_;
  std::unordered_set<const ir::Value*> seen_;
};

}  // namespace

bool matches_pattern(const std::string& text, const std::string& pattern) {
  // Greedy with one point to return to: the last *.
  size_t t = 0, p = 0, star = std::string::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

WeightSearch find_weights(ir::Model& model, const std::vector<std::string>& exclude) {
  return Search(model, exclude).run();
}

}  // namespace fettle::passes
