#include "ir/inline_functions.h"

#include <google/protobuf/unknown_field_set.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "ir/clone.h"
#include "ir/error.h"
#include "ir/io.h"

namespace fettle::ir {
namespace {

constexpr int kAttributeProtoField = 11;  // FunctionProto.attribute_proto, IR version 9

// Attributes of the function that have a default. They come after the schema that libonnx 1.12
// knows, so they are decoded from the message's wire format by way of a node that carries them.
std::vector<Attribute> default_attributes(const Function& function) {
  google::protobuf::UnknownFieldSet fields;
  if (function.carry.empty() || !fields.ParseFromString(function.carry)) return {};
  onnx::ModelProto holder;
  holder.set_ir_version(8);
  holder.add_opset_import()->set_version(17);
  holder.mutable_graph()->set_name("defaults");
  onnx::NodeProto& node = *holder.mutable_graph()->add_node();
  node.set_op_type("Defaults");
  node.set_domain("fettle.defaults");
  onnx::OperatorSetIdProto& import = *holder.add_opset_import();
  import.set_domain(node.domain());
  import.set_version(1);
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& field = fields.field(i);
    if (field.number() != kAttributeProtoField ||
        field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      continue;
    }
    if (!node.add_attribute()->ParseFromString(field.length_delimited())) {
      fail(ErrorCode::kBadInput, "function '{}': a default of an attribute is damaged",
           function.name);
    }
  }
  if (node.attribute_size() == 0) return {};
  Model parsed = parse_model(holder.SerializeAsString());
  return std::move(parsed.graph->first_node()->attributes());
}

std::string_view canonical(std::string_view domain) {
  return domain == "ai.onnx" ? std::string_view() : domain;
}

// Calls `visit(node)` for every node of a graph and what is nested in it.
template <typename Visit>
void for_each_node(Graph& graph, Visit&& visit) {
  for_each_graph(graph, [&](Graph& g) {
    for (Node& node : g.nodes()) visit(node);
  });
}

class Inliner {
 public:
  explicit Inliner(Model& model) : model_(model) {
    for (const Function& f : model.functions) {
      index_.try_emplace({canonical(f.domain), f.name, f.overload}, &f);
    }
  }

  int64_t run() {
    check_recursion();
    merge_opsets();
    for_each_graph(*model_.graph, [&](Graph& graph) {
      for (Node& node : graph.nodes()) {
        if (const Function* function = called(node)) expand(node, *function);
      }
      graph.purge();
    });
    drop_functions();
    return calls_;
  }

 private:
  const Function* called(const Node& node) const {
    const auto it = index_.find({canonical(node.domain), node.op_type, node.overload});
    return it != index_.end() ? it->second : nullptr;
  }

  // Depth-first over "function calls function", without recursion of our own.
  void check_recursion() {
    enum class State { kOpen, kDone };
    std::map<const Function*, State> state;
    for (const Function& start : model_.functions) {
      std::vector<std::pair<const Function*, std::vector<const Function*>>> stack;
      const auto enter = [&](const Function* f) {
        if (state.contains(f)) {
          if (state[f] == State::kDone) return;
          fail(ErrorCode::kBadInput,
               "function '{}' of domain '{}' calls itself; functions must not be recursive",
               f->name, f->domain);
        }
        state[f] = State::kOpen;
        std::vector<const Function*> callees;
        for_each_node(*f->body, [&](const Node& node) {
          if (const Function* callee = called(node)) callees.push_back(callee);
        });
        stack.emplace_back(f, std::move(callees));
      };
      enter(&start);
      while (!stack.empty()) {
        if (stack.back().second.empty()) {
          state[stack.back().first] = State::kDone;
          stack.pop_back();
          continue;
        }
        const Function* next = stack.back().second.back();
        stack.back().second.pop_back();
        enter(next);
      }
    }
  }

  // Functions that the main graph reaches.
  std::vector<const Function*> reachable() {
    std::vector<const Function*> order;
    std::set<const Function*> seen;
    const auto collect = [&](Graph& graph) {
      for_each_node(graph, [&](const Node& node) {
        const Function* f = called(node);
        if (f != nullptr && seen.insert(f).second) order.push_back(f);
      });
    };
    collect(*model_.graph);
    for (size_t i = 0; i < order.size(); ++i) collect(*order[i]->body);
    return order;
  }

  void merge_opsets() {
    for (const Function* function : reachable()) {
      std::set<std::string> domains;  // of the operators that the body itself applies
      for_each_node(*function->body, [&](const Node& node) {
        if (called(node) == nullptr) domains.insert(node.is_default_domain() ? "" : node.domain);
      });
      for (const auto& [name, version] : function->opset_imports) {
        const std::string domain = name == "ai.onnx" ? "" : name;
        if (!domains.contains(domain)) continue;
        const int64_t ours = model_.opset(domain);
        if (ours == 0) {
          model_.set_opset(domain, version);
        } else if (ours != version) {
          fail(ErrorCode::kUnsupported,
               "function '{}' imports version {} of domain '{}', but version {} is imported around "
               "it; convert the model to one version first",
               function->name, version, domain.empty() ? "ai.onnx" : domain, ours);
        }
      }
    }
  }

  const std::vector<Attribute>& defaults_of(const Function& function) {
    const auto [it, added] = defaults_.try_emplace(&function);
    if (added) it->second = default_attributes(function);
    return it->second;
  }

  CloneRules rules_for(const Node& call, const Function& function) {
    // Deeply nested calls would otherwise make names that grow with the depth.
    constexpr size_t kLongestPrefix = 200;
    std::string prefix = call.name.empty() || call.name.size() > kLongestPrefix ? function.name
                                                                                : call.name;
    CloneRules rules;
    rules.value_name = [prefix](Graph& into, const std::string& name) {
      return into.unique_name(prefix + "/" + name);
    };
    rules.node_name = [prefix](const std::string& name) {
      return name.empty() ? name : prefix + "/" + name;
    };
    const auto& defaults = defaults_of(function);
    rules.attribute = [&call, &defaults](const std::string& reference) -> const Attribute* {
      if (const Attribute* given = call.find_attribute(reference)) return given;
      for (const Attribute& fallback : defaults) {
        if (fallback.name == reference) return &fallback;
      }
      return nullptr;
    };
    rules.outer_by_name = false;
    rules.before_node = [this] {
      if (++added_ > kInlineNodeBudget) {
        fail(ErrorCode::kLimit, "inlining functions would add more than {} nodes",
             kInlineNodeBudget);
      }
    };
    return rules;
  }

  void expand(Node& call, const Function& function) {
    const Graph& body = *function.body;
    if (call.inputs().size() > body.inputs().size() ||
        call.outputs().size() > body.outputs().size()) {
      fail(ErrorCode::kBadInput, "{}: function '{}' takes {} inputs and gives {} outputs, found {} "
           "and {}", call.describe(), function.name, body.inputs().size(), body.outputs().size(),
           call.inputs().size(), call.outputs().size());
    }
    GraphCloner cloner(rules_for(call, function));
    for (size_t i = 0; i < body.inputs().size(); ++i) {
      cloner.bind(*body.inputs()[i], call.input(i));
    }
    cloner.copy_body(body, call);
    ++calls_;
    connect_outputs(call, function, cloner);
  }

  // The values that the body returns take the place of the call's outputs.
  static void connect_outputs(Node& call, const Function& function, const GraphCloner& cloner) {
    std::vector<Result> results;
    for (size_t i = 0; i < call.outputs().size(); ++i) {
      const Value& returned = *function.body->outputs()[i];
      Value* with = cloner.mapped(returned, call.graph());
      if (with == nullptr && call.output(i) != nullptr) {
        fail(ErrorCode::kBadInput, "{}: function '{}' returns an input that the call omits",
             call.describe(), function.name);
      }
      results.push_back({with, returned.producer() != nullptr});
    }
    replace_node(call, std::move(results));
  }

  void drop_functions() {
    std::set<std::string> used;
    for_each_node(*model_.graph, [&](const Node& node) { used.insert(node.domain); });
    for (const Function& function : model_.functions) {
      std::erase_if(model_.opset_imports, [&](const auto& import) {
        return import.first == function.domain && !used.contains(import.first) &&
               !import.first.empty() && import.first != "ai.onnx";
      });
    }
    model_.functions.clear();
  }

  Model& model_;
  std::map<std::tuple<std::string_view, std::string_view, std::string_view>, const Function*> index_;
  std::map<const Function*, std::vector<Attribute>> defaults_;
  int64_t calls_ = 0;
  int64_t added_ = 0;
};

}  // namespace

int64_t inline_functions(Model& model) {
  if (model.functions.empty()) return 0;
  return Inliner(model).run();
}

}  // namespace fettle::ir
