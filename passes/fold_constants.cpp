// Computes what depends on constants only.
//
//   c1, c2 -> Mul -> v              v: a new initializer of the same name
//   Constant -> v                   v: an initializer
//   x [N, 3, 8, 8] -> Shape -> Gather(1) -> v      v = 3 (shapes count as far as they are known)
//
// Expressions are computed by the reference kernels without touching the graph; only what other
// nodes read is stored, so that large intermediates cost nothing.
//
// Conditions: growth = bytes(stored) - bytes(constants that die with it) must fit the budget, for a
// connected group of nodes as a whole, else for each node; small integer tensors (shapes, axes,
// indices) always do. The result is no graph output.
// Never folded: quantization operators (their weights would become float again), random operators,
// operators with subgraphs, unknown operators, and defaults of graph inputs.
// Traps: ConstantOfShape, Expand and Tile are compact and fold into something huge; a Constant that
// is a graph output must stay a node.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ir/error.h"
#include "ops/dims.h"
#include "ops/table.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/shape_contents.h"

namespace fettle::passes {
namespace {

// Integer tensors up to this many elements fold whatever the budget says.
constexpr int64_t kShapeElements = 512;
// Results known to be larger are not even computed, and neither is what takes more operations.
constexpr int64_t kLargestIntermediate = int64_t{256} << 20;
constexpr int64_t kMostMacs = 1'000'000'000;
// Bytes that intermediates of one graph may take together, beyond four times its constants.
constexpr int64_t kIntermediates = int64_t{1} << 30;

int64_t bytes_of(const ir::Tensor& tensor) {
  if (tensor.type() == ir::DataType::kString) return tensor.size() * 32;
  return static_cast<int64_t>(tensor.byte_size());
}

bool is_small_ints(const ir::Tensor& tensor) {
  return (ir::is_integer(tensor.type()) || tensor.type() == ir::DataType::kBool) &&
         tensor.size() <= kShapeElements;
}

// Disjoint sets of nodes (union-find).
class FoldGroups {
 public:
  void add(const ir::Node* node) { parents_.try_emplace(node, node); }
  void join(const ir::Node* a, const ir::Node* b) {
    add(b);
    parents_[of(a)] = of(b);
  }
  const ir::Node* of(const ir::Node* node) {
    while (parents_.at(node) != node) {
      parents_[node] = parents_.at(parents_.at(node));
      node = parents_.at(node);
    }
    return node;
  }

 private:
  std::unordered_map<const ir::Node*, const ir::Node*> parents_;
};

// Folds within one graph.
class Folder {
 public:
  Folder(PassContext& context, ir::Graph& graph)
      : context_(context), graph_(graph),
        contents_(context, [this](const ir::Value* v) { return known(v); }) {}

  int64_t run() {
    intermediates_left_ = kIntermediates;
    for (const ir::Value* v : graph_.constants()) {
      if (v->constant() != nullptr) intermediates_left_ += 4 * bytes_of(*v->constant());
    }
    for (ir::Node& node : graph_.nodes()) {
      if (evaluate(node)) evaluated_.push_back(&node);
    }
    folded_.insert(evaluated_.begin(), evaluated_.end());
    keep_outputs();
    const std::unordered_set<const ir::Node*> contested = over_budget();
    for (size_t i = evaluated_.size(); i-- > 0;) decide(*evaluated_[i], contested);
    for (const ir::Node* node : stored_) store(*node);
    return erase_folded();
  }

 private:
  const ir::Tensor* known(const ir::Value* value) const {
    const auto it = tensors_.find(value);
    return it != tensors_.end() ? &it->second : context_.constant(value);
  }

  // Bytes that are freed when the nodes that read `value` go.
  int64_t credit_of(const ir::Value& value, const ir::Node& reader) const {
    if (value.is_graph_output()) return 0;
    for (const ir::Use& use : value.uses()) {
      if (use.node != &reader) return 0;
    }
    const auto it = credits_.find(&value);
    if (it != credits_.end()) return it->second;
    return value.constant() != nullptr && &value.graph() == &graph_ ? bytes_of(*value.constant())
                                                                    : 0;
  }

  int64_t credit_of_inputs(const ir::Node& node) const {
    std::vector<const ir::Value*> seen;
    int64_t credit = 0;
    for (const ir::Value* v : node.inputs()) {
      if (v == nullptr || std::find(seen.begin(), seen.end(), v) != seen.end()) continue;
      seen.push_back(v);
      credit += credit_of(*v, node);
    }
    return credit;
  }

  void keep(const ir::Value& value, ir::Tensor tensor, int64_t credit) {
    intermediates_left_ -= bytes_of(tensor);
    credits_[&value] = credit;
    tensors_[&value] = spilled(std::move(tensor));
  }

  bool evaluate(ir::Node& node) {
    const ops::OpDef* op = ops::find_op(node, context_.opset(node));
    constexpr uint32_t kNever = ops::kRandom | ops::kControlFlow | ops::kQuantization;
    if (op == nullptr || (op->facts & kNever) != 0 || !node.subgraphs().empty()) return false;
    if (node.output(0) == nullptr) return false;
    if (const ir::Tensor* value = node.is("Constant") ? node.attr_tensor("value") : nullptr) {
      keep(*node.output(0), *value, bytes_of(*value));
      return true;
    }
    const bool all_known = std::all_of(
        node.inputs().begin(), node.inputs().end(),
        [this](const ir::Value* v) { return v == nullptr || known(v) != nullptr; });
    try {
      return all_known && op->kernel != nullptr ? compute(node, *op) : infer_contents(node, *op);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInternal) throw;
      context_.decline(node, "it cannot be computed: " + error.message());
      return false;
    }
  }

  // False when it is sure to be too large to compute.
  bool affordable(const ir::Node& node, const ops::OpDef& op) {
    std::vector<ir::Dims> inputs, outputs;
    for (const ir::Value* v : node.inputs()) {
      inputs.push_back(v != nullptr ? known(v)->dims() : ir::Dims{});
    }
    bool all_known = true;
    for (const ir::Value* v : node.outputs()) {
      const auto dims = dims_of(v);
      all_known &= dims.has_value() || v == nullptr;
      outputs.push_back(dims.value_or(ir::Dims{}));
      if (!dims || v->type.element == ir::DataType::kString) continue;
      const auto bytes = ir::data_type_bytes(v->type.element, ir::element_count(*dims));
      if (static_cast<int64_t>(bytes) > kLargestIntermediate + context_.fold_growth_budget) {
        context_.decline(node, fmt::format("its result would take {} bytes", bytes));
        return false;
      }
    }
    if (op.macs != nullptr && all_known && op.macs(node, inputs, outputs) > kMostMacs) {
      context_.decline(node, "it takes too long to compute here");
      return false;
    }
    return true;
  }

  bool compute(const ir::Node& node, const ops::OpDef& op) {
    if (!affordable(node, op)) return false;
    if (intermediates_left_ < 0) {
      context_.decline(node, "folding takes too much memory");
      return false;
    }
    std::vector<ops::RuntimeValue> values;
    values.reserve(node.inputs().size());
    std::vector<const ops::RuntimeValue*> inputs;
    for (const ir::Value* v : node.inputs()) {
      if (v != nullptr) values.emplace_back(*known(v));
      inputs.push_back(v != nullptr ? &values.back() : nullptr);
    }
    ops::KernelContext kernel(node, context_.opset(node), std::move(inputs), nullptr);
    op.kernel(kernel);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      if (node.output(i) != nullptr && !kernel.outputs()[i].is_tensor()) return false;
    }
    const int64_t credit = credit_of_inputs(node);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      // Several outputs share what dies with the node; the first one takes it all.
      const ir::Value* v = node.output(i);
      if (v != nullptr) keep(*v, std::move(kernel.outputs()[i].tensor), i == 0 ? credit : 0);
    }
    return true;
  }

  // Contents of a shape-like output, when all of them follow from known extents.
  bool infer_contents(const ir::Node& node, const ops::OpDef& op) {
    const ops::Ints* found = contents_.infer(node, op);
    if (found == nullptr) return false;
    std::vector<int64_t> elements;
    for (const ir::Dim& d : *found) {
      const auto element = ops::int_value(d);
      if (!element) return false;
      elements.push_back(*element);
    }
    const ir::Value& out = *node.output(0);
    const bool scalar = out.type.shape->empty();
    if (scalar && elements.size() != 1) return false;
    auto tensor = integers(out.type.element, scalar, elements);
    if (!tensor) return false;
    keep(out, std::move(*tensor), 0);
    return true;
  }

  static std::optional<ir::Tensor> integers(ir::DataType type, bool scalar,
                                            const std::vector<int64_t>& elements) {
    const ir::Dims dims = scalar ? ir::Dims{} : ir::Dims{static_cast<int64_t>(elements.size())};
    if (type == ir::DataType::kInt64) return ir::Tensor::of<int64_t>(dims, elements);
    if (type != ir::DataType::kInt32) return std::nullopt;
    std::vector<int32_t> narrow(elements.begin(), elements.end());
    if (!std::equal(narrow.begin(), narrow.end(), elements.begin())) return std::nullopt;
    return ir::Tensor::of<int32_t>(dims, narrow);
  }

  bool is_needed(const ir::Value& value) const {
    return std::any_of(value.uses().begin(), value.uses().end(),
                       [this](const ir::Use& use) { return !folded_.contains(use.node); });
  }

  // Nodes that give a graph output stay.
  void keep_outputs() {
    for (const ir::Node* node : evaluated_) {
      for (const ir::Value* v : node->outputs()) {
        if (v != nullptr && v->is_graph_output()) folded_.erase(node);
      }
    }
  }

  // Groups of nodes that are connected, also by a constant of some size that they share. What such
  // a group stores and what dies with it can be weighed as a whole.
  FoldGroups groups() const {
    constexpr size_t kWorthSharing = 256;  // bytes
    FoldGroups groups;
    for (const ir::Node* node : evaluated_) {
      if (!folded_.contains(node)) continue;
      groups.add(node);
      for (const ir::Value* v : node->inputs()) {
        if (v == nullptr) continue;
        if (folded_.contains(v->producer())) groups.join(node, v->producer());
        if (v->constant() == nullptr || v->constant()->byte_size() < kWorthSharing) continue;
        for (const ir::Use& use : v->uses()) {
          if (folded_.contains(use.node)) groups.join(node, use.node);
        }
      }
    }
    return groups;
  }

  // True when nothing reads the constant once the folded nodes are gone.
  bool dies(const ir::Value& constant) const {
    return constant.constant() != nullptr && !constant.is_input() && &constant.graph() == &graph_ &&
           !constant.is_graph_output() && !is_needed(constant);
  }

  // The nodes of groups that would grow the model by more than the budget; it is charged for the
  // other groups.
  std::unordered_set<const ir::Node*> over_budget() {
    FoldGroups connected = groups();
    std::unordered_map<const ir::Node*, int64_t> growth;
    std::unordered_set<const ir::Value*> counted;
    for (const ir::Node* node : evaluated_) {
      if (!folded_.contains(node)) continue;
      int64_t& sum = growth[connected.of(node)];
      if (node->inputs().empty()) sum -= credits_.at(node->output(0));  // the node's attribute
      for (const ir::Value* v : node->inputs()) {
        if (v != nullptr && dies(*v) && counted.insert(v).second) sum -= bytes_of(*v->constant());
      }
      for (const ir::Value* v : node->outputs()) {
        if (v == nullptr || !is_needed(*v) || is_small_ints(tensors_.at(v))) continue;
        sum += bytes_of(tensors_.at(v));
      }
    }
    std::unordered_set<const ir::Node*> contested;
    std::unordered_set<const ir::Node*> charged;
    for (const ir::Node* node : evaluated_) {
      if (!folded_.contains(node)) continue;
      const ir::Node* group = connected.of(node);
      const int64_t sum = growth.at(group);
      if (charged.contains(group) || sum <= context_.fold_growth_budget) {
        if (charged.insert(group).second) context_.fold_growth_budget -= std::max<int64_t>(sum, 0);
      } else {
        contested.insert(node);
      }
    }
    return contested;
  }

  // Walking backwards: stores what nodes that stay read, or lets the node stay.
  void decide(ir::Node& node, const std::unordered_set<const ir::Node*>& contested) {
    if (!folded_.contains(&node)) return;
    int64_t growth = 0;
    bool needed = false, small = true;
    for (const ir::Value* v : node.outputs()) {
      if (v == nullptr || !is_needed(*v)) continue;
      needed = true;
      const ir::Tensor& tensor = tensors_.at(v);
      growth += bytes_of(tensor);
      small &= is_small_ints(tensor);
    }
    if (!needed) return;
    for (const ir::Value* v : node.outputs()) {
      if (v != nullptr) growth -= credits_.at(v);
    }
    if (contested.contains(&node) && !small) {
      if (growth > context_.fold_growth_budget) {
        context_.decline(node, fmt::format("the model would grow by {} bytes, {} are allowed",
                                           growth, context_.fold_growth_budget));
        folded_.erase(&node);
        return;
      }
      context_.fold_growth_budget -= std::max<int64_t>(growth, 0);
    }
    stored_.push_back(&node);
  }

  void store(const ir::Node& node) {
    for (ir::Value* v : node.outputs()) {
      if (v == nullptr || !is_needed(*v)) continue;
      ir::Value& constant = add_weight(graph_, v->name() + "_value", tensors_.at(v));
      const std::vector<ir::Use> uses = v->uses();
      for (const ir::Use& use : uses) use.node->set_input(use.index, &constant);
      renames_.emplace_back(&constant, v->name());
    }
  }

  int64_t erase_folded() {
    int64_t count = 0;
    for (size_t i = evaluated_.size(); i-- > 0;) {
      if (!folded_.contains(evaluated_[i])) continue;
      graph_.erase(*evaluated_[i]);
      ++count;
    }
    for (const auto& [constant, name] : renames_) graph_.rename(*constant, name);
    return count;
  }

  PassContext& context_;
  ir::Graph& graph_;
  ShapeContents contents_;
  std::unordered_map<const ir::Value*, ir::Tensor> tensors_;
  std::unordered_map<const ir::Value*, int64_t> credits_;
  int64_t intermediates_left_ = 0;
  std::vector<ir::Node*> evaluated_;  // in order
  std::unordered_set<const ir::Node*> folded_;
  std::vector<const ir::Node*> stored_;
  std::vector<std::pair<ir::Value*, std::string>> renames_;
};

}  // namespace

int64_t fold_constants(PassContext& context) {
  int64_t count = 0;
  ir::for_each_graph(*context.model.graph,
                     [&](ir::Graph& graph) { count += Folder(context, graph).run(); });
  return count;
}

}  // namespace fettle::passes
