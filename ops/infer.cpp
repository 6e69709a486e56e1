#include "ops/infer.h"

#include <algorithm>

#include "ir/clone.h"
#include "ir/error.h"
#include "ir/inline_functions.h"
#include "ops/infer_constants.h"
#include "ops/infer_merge.h"
#include "ops/table.h"

namespace fettle::ops {
namespace {

// Rules of Loop and Scan infer their bodies more than once, so nested bodies multiply; and rules
// recurse into bodies. Beyond these, values keep their declared types.
constexpr int64_t kVisitBudget = 1'000'000;
constexpr int kMaxDepth = 64;

// Counts one level of nesting for as long as it lives.
class Nesting {
 public:
  explicit Nesting(int& depth) : depth_(depth) { ++depth_; }
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  int& depth_;
};

class Inferrer {
 public:
  Inferrer(ir::Model& model, const InferOptions& options) : model_(model), options_(options) {
    for (const auto& [domain, version] : model.opset_imports) {
      opsets_[domain == "ai.onnx" ? "" : domain] = version;
    }
  }

  void run() {
    ir::Graph& graph = *model_.graph;
    for (ir::Value* input : graph.inputs()) facts_[input] = input_facts(*input);
    infer_nodes(graph);
    ir::for_each_graph(graph, [this](ir::Graph& g) {
      for (ir::Value* value : g.values()) commit(*value);
    });
  }

 private:
  ValueFacts input_facts(const ir::Value& input) const {
    const auto given = options_.inputs.find(input.name());
    if (given != options_.inputs.end()) return {sanitized(given->second), nullptr, {}, nullptr};
    if (input.constant() != nullptr) return constant_facts(input);
    return {sanitized(input.type), nullptr, {}, nullptr};
  }

  static ValueFacts constant_facts(const ir::Value& value) {
    const ir::Tensor& t = *value.constant();
    return {ir::Type::tensor(t.type(), ir::shape_of(t.dims())), &t, ints_of(t), nullptr};
  }

  // What the file says of a value. Under other input types its shapes may no longer hold.
  ir::Type declared(const ir::Value& value) const {
    if (options_.inputs.empty()) return sanitized(value.type);
    return value.type.is_tensor() ? ir::Type::tensor(value.type.element) : ir::Type{};
  }

  const ValueFacts& facts_of(const ir::Value& value) {
    const auto [it, added] = facts_.try_emplace(&value);
    if (added) {
      if (value.constant() != nullptr && !value.is_input()) {
        it->second = constant_facts(value);
      } else if (value.sparse() != nullptr) {
        it->second.type = ir::Type::tensor(value.sparse()->values.tensor.type(),
                                           ir::shape_of(value.sparse()->dims));
      } else {
        it->second.type = declared(value);
      }
    }
    return it->second;
  }

  std::vector<ValueFacts> infer_body(ir::Graph& body, const std::vector<ValueFacts>& inputs) {
    std::vector<ValueFacts> outputs;
    if (depth_ >= kMaxDepth) {
      outputs.resize(body.outputs().size());
      return outputs;
    }
    for (size_t i = 0; i < body.inputs().size(); ++i) {
      ir::Value& input = *body.inputs()[i];
      ValueFacts facts = i < inputs.size() ? inputs[i] : ValueFacts{};
      facts.type = refined(facts.type, declared(input));
      facts_[&input] = std::move(facts);
    }
    const Nesting nesting(depth_);
    infer_nodes(body);
    for (const ir::Value* output : body.outputs()) outputs.push_back(facts_of(*output));
    return outputs;
  }

  void infer_nodes(ir::Graph& graph) {
    for (ir::Node& node : graph.nodes()) {
      if (--budget_ < 0) return;
      try {
        infer_node(node);
      } catch (Error& error) {
        error.add_context(node.describe());
        throw;
      }
    }
  }

  void infer_node(ir::Node& node) {
    std::vector<const ValueFacts*> inputs;
    inputs.reserve(node.inputs().size());
    for (const ir::Value* value : node.inputs()) {
      inputs.push_back(value != nullptr ? &facts_of(*value) : nullptr);
    }
    const auto imported = opsets_.find(node.is_default_domain() ? "" : node.domain);
    const int64_t opset = imported != opsets_.end() ? imported->second : 0;
    InferContext context(node, opset, inputs,
                         [this](ir::Graph& body, const std::vector<ValueFacts>& body_inputs) {
                           return infer_body(body, body_inputs);
                         });
    const OpDef* op = find_op(node, opset);
    if (op != nullptr && op->infer != nullptr) {
      op->infer(context);
      evaluate_constants(*op, context);
    } else {
      for (ir::Graph* body : node.subgraphs()) infer_body(*body, {});
    }
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const ir::Value* output = node.output(i);
      if (output == nullptr) continue;
      ValueFacts& facts = context.outputs()[i];
      facts.type = merged(facts.type, declared(*output), output->name(), output->is_graph_output());
      facts_[output] = std::move(facts);
    }
  }

  void commit(ir::Value& value) {
    const auto found = facts_.find(&value);
    if (found == facts_.end()) {
      if (value.constant() != nullptr && !value.type.known())
        value.type = constant_facts(value).type;
      return;
    }
    const bool overridden = options_.inputs.contains(value.name());
    const bool interface = value.is_input() || value.is_graph_output();
    ir::Type type = restored(found->second.type);
    if (interface && !overridden) keep_symbols(type, value.type);
    const bool unfinished = type.is_tensor() && type.element == ir::DataType::kUndefined;
    if (type.known() && !unfinished) value.type = std::move(type);
  }

  ir::Model& model_;
  const InferOptions& options_;
  std::unordered_map<std::string, int64_t> opsets_;
  std::unordered_map<const ir::Value*, ValueFacts> facts_;
  int64_t budget_ = kVisitBudget;
  int depth_ = 0;
};

void copy_types(const ir::Graph& from, ir::Graph& to);

// Types of the subgraphs of `to`'s nodes; nodes correspond when their outputs have the same name.
void copy_nested_types(const ir::Graph& from, const ir::Node& node) {
  const auto named = std::find_if(node.outputs().begin(), node.outputs().end(),
                                  [](const ir::Value* v) { return v != nullptr; });
  if (named == node.outputs().end()) return;
  const ir::Value* twin = from.find((*named)->name());
  if (twin == nullptr || twin->producer() == nullptr) return;
  const auto sources = twin->producer()->subgraphs();
  const auto targets = node.subgraphs();
  if (sources.size() != targets.size()) return;
  for (size_t i = 0; i < targets.size(); ++i) copy_types(*sources[i], *targets[i]);
}

// Nesting is bounded by the reader.
void copy_types(const ir::Graph& from, ir::Graph& to) {
  for (ir::Value* value : to.values()) {
    if (const ir::Value* twin = from.find(value->name())) value->type = twin->type;
  }
  for (const ir::Node& node : to.nodes()) copy_nested_types(from, node);
}

// A copy of the model without functions, or nothing when they cannot be looked through.
std::optional<ir::Model> without_functions(const ir::Model& model) {
  ir::Model copy = ir::clone(model);
  try {
    ir::inline_functions(copy);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported && error.code() != ErrorCode::kLimit) throw;
    return std::nullopt;
  }
  return copy;
}

}  // namespace

void infer_shapes(ir::Model& model, const InferOptions& options) {
  if (!model.functions.empty()) {
    if (std::optional<ir::Model> flat = without_functions(model)) {
      Inferrer(*flat, options).run();
      copy_types(*flat->graph, *model.graph);
      return;
    }
  }
  Inferrer(model, options).run();
}

}  // namespace fettle::ops
