#include "ir/verify.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "ir/error.h"

namespace fettle::ir {
namespace {

// One walk over a graph and all that is nested in it.
class Verifier {
 public:
  void check(const Graph& root) {
    check_graph(root, nullptr);
    for (const Value* value : all_values_) {
      if (value->is_graph_output() != listed_.contains(value)) {
        violation(value->graph(), "value '{}' is {}listed as an output, but its record says otherwise",
                  value->name(), listed_.contains(value) ? "" : "not ");
      }
      const auto read = reads_.find(value);
      const size_t count = read == reads_.end() ? 0 : read->second;
      if (count != value->uses().size()) {
        violation(value->graph(), "value '{}' is read {} times, but records {} uses", value->name(),
                  count, value->uses().size());
      }
    }
  }

 private:
  template <typename... Args>
  [[noreturn]] static void violation(const Graph& graph, fmt::format_string<Args...> format,
                                     Args&&... args) {
    fail(ErrorCode::kInternal, "graph '{}' is inconsistent: {}", graph.name,
         fmt::format(format, std::forward<Args>(args)...));
  }

  void check_values(const Graph& graph) {
    for (const Value* v : graph.values()) {
      all_values_.push_back(v);
      if (&v->graph() != &graph) violation(graph, "value '{}' belongs elsewhere", v->name());
      if (v->name().empty()) violation(graph, "a value has no name");
      if (graph.find(v->name()) != v) violation(graph, "name '{}' is not unique", v->name());
      if (v->producer() != nullptr) check_producer(graph, *v);
      check_uses(graph, *v);
    }
    for (const Value* v : graph.inputs()) {
      if (!v->is_input()) violation(graph, "'{}' is listed as input but is none", v->name());
      define(graph, *v);
    }
    for (const Value* v : graph.constants()) {
      if (!v->has_initializer()) violation(graph, "constant '{}' has no tensor", v->name());
      if (!v->is_input()) define(graph, *v);
    }
  }

  void check_producer(const Graph& graph, const Value& v) {
    const Node& node = *v.producer();
    if (v.is_input() || v.has_initializer()) {
      violation(graph, "'{}' is input or constant and also produced by {}", v.name(),
                node.describe());
    }
    if (&node.graph() != &graph || node.output(v.output_index()) != &v) {
      violation(graph, "the producer of '{}' does not list it", v.name());
    }
  }

  void check_uses(const Graph& graph, const Value& v) {
    std::vector<Use> uses = v.uses();
    for (const Use& use : uses) {
      if (use.node->erased() || use.node->input(use.index) != &v) {
        violation(graph, "'{}' records a use by {} that does not exist", v.name(),
                  use.node->describe());
      }
    }
    const auto before = [](const Use& a, const Use& b) {
      return a.node != b.node ? std::less<>()(a.node, b.node) : a.index < b.index;
    };
    std::sort(uses.begin(), uses.end(), before);
    if (std::adjacent_find(uses.begin(), uses.end()) != uses.end()) {
      violation(graph, "'{}' records a use twice", v.name());
    }
  }

  void define(const Graph& graph, const Value& v) {
    if (!defined_.insert(&v).second) violation(graph, "'{}' is defined twice", v.name());
  }

  // `v` is defined before this point, in `graph` or around it, and its name means it here.
  void check_visible(const Graph& graph, const Value& v, const std::string& reader) {
    if (!defined_.contains(&v)) {
      violation(graph, "{} reads '{}' before it is defined", reader, v.name());
    }
    if (graph.resolve(v.name()) != &v) {
      violation(graph, "{} reads '{}', which is out of its scope or hidden", reader, v.name());
    }
  }

  void check_node(const Graph& graph, const Node& node) {
    if (node.erased() || &node.graph() != &graph) {
      violation(graph, "{} is listed but erased or elsewhere", node.describe());
    }
    for (const Value* v : node.inputs()) {
      if (v == nullptr) continue;
      check_visible(graph, *v, node.describe());
      ++reads_[v];
    }
    for (const Graph* sub : node.subgraphs()) {
      if (sub == nullptr) violation(graph, "{} has an empty subgraph", node.describe());
      check_graph(*sub, &graph);
    }
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const Value* v = node.output(i);
      if (v == nullptr) continue;
      if (v->producer() != &node || v->output_index() != i) {
        violation(graph, "output '{}' of {} names another producer", v->name(), node.describe());
      }
      define(graph, *v);
    }
  }

  void check_graph(const Graph& graph, const Graph* parent) {
    if (graph.parent() != parent) violation(graph, "its parent is not the graph around it");
    check_values(graph);
    size_t count = 0;
    for (const Node& node : graph.nodes()) {
      check_node(graph, node);
      ++count;
    }
    if (count != graph.node_count()) {
      violation(graph, "it counts {} nodes but links {}", graph.node_count(), count);
    }
    for (const Value* v : graph.outputs()) {
      check_visible(graph, *v, "the list of outputs");
      listed_.insert(v);
    }
  }

  std::unordered_set<const Value*> defined_;
  std::unordered_set<const Value*> listed_;
  std::unordered_map<const Value*, size_t> reads_;
  std::vector<const Value*> all_values_;
};

}  // namespace

void verify(const Model& model) {
  FETTLE_ASSERT(model.graph != nullptr);
  Verifier().check(*model.graph);
  for (const Function& function : model.functions) {
    FETTLE_ASSERT(function.body != nullptr);
    try {
      Verifier().check(*function.body);
    } catch (Error& error) {
      error.add_context(fmt::format("function '{}'", function.name));
      throw;
    }
  }
}

}  // namespace fettle::ir
