// Computes equal expressions once.
//
//   x -> Relu -> a, x -> Relu -> b        uses of b read a
//
// Conditions: same operator, attributes and operands, in the same graph; the earlier node has every
// output that the later one has in use. Where both are graph outputs, both nodes stay.
// Never merged: random operators, operators with subgraphs, unknown operators (they may have
// effects), and quantization operators (runtimes match a DequantizeLinear with its one reader).
#include <map>
#include <unordered_map>

#include "ops/table.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

// Attribute tensors above this many bytes are not compared.
constexpr size_t kLargestAttribute = 4096;

template <typename T>
void append(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_text(std::string& key, std::string_view text) {
  append(key, text.size());
  key.append(text);
}

// False when the attribute cannot be compared cheaply.
bool append_attribute(std::string& key, const ir::Attribute& attribute) {
  if (!attribute.reference.empty() || attribute.kind == ir::AttributeKind::kType ||
      attribute.kind == ir::AttributeKind::kTypes) {
    return false;
  }
  append_text(key, attribute.name);
  append(key, attribute.kind);
  const auto add = [&]<typename T>(const T& value) {
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, int64_t>) {
      append(key, value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      append_text(key, value);
    } else if constexpr (std::is_same_v<T, std::vector<float>> ||
                         std::is_same_v<T, std::vector<int64_t>>) {
      append(key, value.size());
      for (const auto& v : value) append(key, v);
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      append(key, value.size());
      for (const auto& v : value) append_text(key, v);
    } else if constexpr (std::is_same_v<T, ir::StoredTensor>) {
      const ir::Tensor& t = value.tensor;
      if (t.type() == ir::DataType::kString || t.byte_size() > kLargestAttribute) return false;
      append(key, t.type());
      append_text(key, ir::to_string(t.dims()));
      append_text(key, {reinterpret_cast<const char*>(t.bytes()), t.byte_size()});
    } else {
      return false;
    }
    return true;
  };
  return std::visit(add, attribute.payload);
}

class Merger {
 public:
  Merger(PassContext& context, ir::Graph& graph) : context_(context), graph_(graph) {}

  int64_t run() {
    int64_t count = 0;
    for (ir::Node& node : graph_.nodes()) {
      const std::string key = key_of(node);
      if (key.empty()) continue;
      const auto [it, added] = seen_.try_emplace(key, &node);
      if (!added) count += merge(*it->second, node);
    }
    return count;
  }

 private:
  // What two nodes must share to compute the same; empty when the node must stay as it is.
  std::string key_of(const ir::Node& node) {
    const ops::OpDef* op = ops::find_op(node, context_.opset(node));
    constexpr uint32_t kNever = ops::kRandom | ops::kControlFlow | ops::kQuantization;
    if (op == nullptr || (op->facts & kNever) != 0 || !node.subgraphs().empty()) return "";
    std::string key;
    append_text(key, node.is_default_domain() ? "" : node.domain);
    append_text(key, node.op_type);
    append_text(key, node.overload);
    append(key, node.inputs().size());
    for (const ir::Value* v : node.inputs()) append(key, number_of(v));
    std::map<std::string_view, const ir::Attribute*> by_name;
    for (const ir::Attribute& a : node.attributes()) by_name[a.name] = &a;
    for (const auto& [name, attribute] : by_name) {
      if (!append_attribute(key, *attribute)) return "";
    }
    return key;
  }

  size_t number_of(const ir::Value* value) {
    return numbers_.try_emplace(value, numbers_.size()).first->second;
  }

  int64_t merge(ir::Node& kept, ir::Node& twin) {
    for (size_t i = 0; i < twin.outputs().size(); ++i) {
      const ir::Value* v = twin.output(i);
      if (v == nullptr) continue;
      if (kept.output(i) == nullptr || (v->is_graph_output() && kept.output(i)->is_graph_output())) {
        return 0;
      }
    }
    for (size_t i = 0; i < twin.outputs().size(); ++i) {
      if (twin.output(i) != nullptr && !graph_.replace_all_uses(*twin.output(i), *kept.output(i))) {
        return 0;
      }
    }
    graph_.erase(twin);
    return 1;
  }

  PassContext& context_;
  ir::Graph& graph_;
  std::unordered_map<std::string, ir::Node*> seen_;
  std::unordered_map<const ir::Value*, size_t> numbers_;
};

}  // namespace

int64_t eliminate_common_subexpressions(PassContext& context) {
  int64_t count = 0;
  ir::for_each_graph(*context.model.graph,
                     [&](ir::Graph& graph) { count += Merger(context, graph).run(); });
  return count;
}

}  // namespace fettle::passes
