#include "ir/check_model.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "ir/error.h"
#include "ir/opset_imports.h"

namespace fettle::ir {
namespace {

constexpr uint64_t kMaxInlinedNodes = 1'000'000;
constexpr int64_t kFirstIrWithOpsets = 3;

using FunctionId = std::tuple<std::string, std::string, std::string>;  // domain, name, overload

std::string canonical(const std::string& domain) {
  return domain == "ai.onnx" ? "" : domain;
}

// A graph's calls of functions, by index, and how many nodes it has in all subgraphs.
struct Body {
  std::map<size_t, uint64_t> calls;
  uint64_t nodes = 0;
};

class FunctionCheck {
 public:
  explicit FunctionCheck(const Model& model) : model_(model) {
    for (size_t i = 0; i < model.functions.size(); ++i) {
      const Function& f = model.functions[i];
      if (f.name.empty()) fail(ErrorCode::kBadInput, "a function has no name");
      if (!index_.emplace(FunctionId{canonical(f.domain), f.name, f.overload}, i).second) {
        fail(ErrorCode::kBadInput, "function '{}.{}' is given twice", f.domain, f.name);
      }
    }
    for (const Function& f : model.functions) bodies_.push_back(body_of(*f.body));
    bodies_.push_back(body_of(*model.graph));
  }

  void run() {
    // Iterative depth-first search from the main graph and every function.
    const size_t count = bodies_.size();
    sizes_.assign(count, 0);
    state_.assign(count, State::kNew);
    for (size_t start = 0; start < count; ++start) visit(start);
  }

 private:
  enum class State { kNew, kOpen, kDone };
  using Calls = std::map<size_t, uint64_t>;

  Body body_of(Graph& graph) const {
    Body body;
    for_each_graph(graph, [&](Graph& g) {
      body.nodes += g.node_count();
      if (index_.empty()) return;
      for (const Node& node : g.nodes()) {
        const auto at = index_.find({canonical(node.domain), node.op_type, node.overload});
        if (at != index_.end()) ++body.calls[at->second];
      }
    });
    return body;
  }

  void visit(size_t start) {
    if (state_[start] != State::kNew) return;
    std::vector<std::pair<size_t, Calls::const_iterator>> path;
    const auto enter = [&](size_t i) {
      state_[i] = State::kOpen;
      path.emplace_back(i, bodies_[i].calls.begin());
    };
    enter(start);
    while (!path.empty()) {
      auto& [current, call] = path.back();
      if (call == bodies_[current].calls.end()) {
        finish(current);
        path.pop_back();
        continue;
      }
      const size_t callee = (call++)->first;
      if (state_[callee] == State::kOpen) fail_cycle(path, callee);
      if (state_[callee] == State::kNew) enter(callee);
    }
  }

  void finish(size_t i) {
    state_[i] = State::kDone;
    uint64_t total = bodies_[i].nodes;
    for (const auto& [callee, times] : bodies_[i].calls) {
      uint64_t inlined = 0;
      if (__builtin_mul_overflow(times, sizes_[callee], &inlined) ||
          __builtin_add_overflow(total, inlined, &total)) {
        total = UINT64_MAX;
        break;
      }
    }
    if (total > kMaxInlinedNodes) {
      fail(ErrorCode::kLimit, "{} stands for more than {} nodes once its calls are inlined",
           label(i), kMaxInlinedNodes);
    }
    sizes_[i] = total;
  }

  template <typename Path>
  [[noreturn]] void fail_cycle(const Path& path, size_t callee) const {
    std::string names;
    const auto first = std::find_if(path.begin(), path.end(),
                                    [&](const auto& step) { return step.first == callee; });
    for (auto at = first; at != path.end(); ++at) names += label(at->first) + " calls ";
    fail(ErrorCode::kBadInput, "functions must not be recursive: {}{}", names, label(callee));
  }

  std::string label(size_t i) const {
    if (i == model_.functions.size()) return "the main graph";
    return fmt::format("function '{}.{}'", model_.functions[i].domain, model_.functions[i].name);
  }

  const Model& model_;
  std::map<FunctionId, size_t> index_;
  std::vector<Body> bodies_;  // of the functions, then of the main graph
  std::vector<uint64_t> sizes_;
  std::vector<State> state_;
};

void check_imports(Graph& graph, const OpsetImports& imports, const std::string& where) {
  const bool imported = std::any_of(imports.begin(), imports.end(), [](const auto& import) {
    return canonical(import.first).empty() && import.second >= 1;
  });
  if (imported) return;
  for_each_graph(graph, [&](Graph& g) {
    for (const Node& node : g.nodes()) {
      if (!node.is_default_domain()) continue;
      fail(ErrorCode::kBadInput,
           "{} uses {} of the default domain, but imports no opset for it; add opset_import '' "
           "with its version",
           where, node.describe());
    }
  });
}

}  // namespace

void check_model(const Model& model) {
  if (model.ir_version >= kFirstIrWithOpsets) {
    check_imports(*model.graph, model.opset_imports, "the model");
  }
  for (const Function& function : model.functions) {
    check_imports(*function.body, function.opset_imports,
                  fmt::format("function '{}.{}'", function.domain, function.name));
  }
  FunctionCheck(model).run();
}

}  // namespace fettle::ir
