#include "ir/print.h"

#include <fmt/format.h>

#include "ir/print_literals.h"

namespace fettle::ir {
namespace {

template <typename Items, typename Text>
std::string joined(const Items& items, Text&& text) {
  std::string out;
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ", ";
    first = false;
    out += text(item);
  }
  return out;
}

class Printer {
 public:
  explicit Printer(int64_t max_elements) : max_elements_(max_elements) {}

  std::string graph(const Graph& g, int depth) const {
    std::string out = text_name(g.name.empty() ? "graph" : g.name);
    out += " (" + joined(g.inputs(), [&](const Value* v) { return declaration(*v); }) + ") => (";
    out += joined(g.outputs(), [&](const Value* v) { return declaration(*v, false); }) + ")";
    return out + side_declarations(g, depth) + " {\n" + nodes(g, depth + 1) + indent(depth) + "}";
  }

  std::string function(const Function& f) const {
    std::string out = "<\n  domain: " + text_string(f.domain);
    if (!f.overload.empty()) out += ",\n  overload: " + text_string(f.overload);
    out += ",\n  opset_import: [" + opsets(f.opset_imports) + "]\n>\n" + text_name(f.name);
    if (!f.attributes.empty()) out += " <" + joined(f.attributes, text_name) + ">";
    const auto name_of = [](const Value* v) { return text_name(v->name()); };
    out += " (" + joined(f.body->inputs(), name_of) + ") => (";
    out += joined(f.body->outputs(), name_of) + ") {\n";
    return out + nodes(*f.body, 1) + "}\n";
  }

  static std::string opsets(const std::vector<std::pair<std::string, int64_t>>& imports) {
    return joined(imports, [](const auto& import) {
      return fmt::format("{} : {}", text_string(import.first), import.second);
    });
  }

 private:
  static std::string indent(int depth) { return std::string(static_cast<size_t>(depth) * 2, ' '); }

  // Type and name of an input, output or constant, and the default or constant it has.
  std::string declaration(const Value& v, bool with_tensor = true) const {
    const std::string type = text_type(v.type);
    std::string out = type.empty() ? text_name(v.name()) : type + " " + text_name(v.name());
    if (!with_tensor || !v.has_initializer()) return out;
    if (v.sparse() != nullptr) return out + " = {...}";
    return out + " = " + text_elements(*v.constant(), max_elements_);
  }

  // Constants, and the types known of values inside.
  std::string side_declarations(const Graph& g, int depth) const {
    std::vector<std::string> lines;
    for (const Value* v : g.constants()) {
      if (!v->is_input()) lines.push_back(declaration(*v));
    }
    for (const Value* v : g.values()) {
      if (v->producer() != nullptr && !v->is_graph_output() && v->type.known()) {
        lines.push_back(declaration(*v));
      }
    }
    if (lines.empty()) return "";
    std::string out = "\n" + indent(depth) + "<\n";
    for (size_t i = 0; i < lines.size(); ++i) {
      out += indent(depth + 1) + lines[i] + (i + 1 < lines.size() ? ",\n" : "\n");
    }
    return out + indent(depth) + ">";
  }

  std::string nodes(const Graph& g, int depth) const {
    std::string out;
    for (const Node& node : g.nodes()) out += indent(depth) + node_text(node, depth) + "\n";
    return out;
  }

  std::string node_text(const Node& node, int depth) const {
    const auto operand = [](const std::vector<Value*>& operands) {
      return [&operands, first = true](const Value* v) mutable {
        const bool leading = first;
        first = false;
        // An empty list reads like one omitted operand; the empty name in quotes does not.
        return v != nullptr ? text_name(v->name())
                            : leading && operands.size() > 1 ? std::string("\"\"") : std::string();
      };
    };
    std::string out = joined(node.outputs(), operand(node.outputs())) + " = ";
    if (!node.is_default_domain()) out += node.domain + ".";
    out += node.op_type;
    if (!node.overload.empty()) out += ":" + node.overload;
    if (!node.attributes().empty()) {
      out += " <" + joined(node.attributes(), [&](const Attribute& a) {
               return attribute(a, depth);
             }) + ">";
    }
    return out + " (" + joined(node.inputs(), operand(node.inputs())) + ")";
  }

  std::string tensor(const StoredTensor& stored) const {
    const Tensor& t = stored.tensor;
    return text_type(Type::tensor(t.type(), shape_of(t.dims()))) + " " +
           text_elements(t, max_elements_);
  }

  static std::string_view kind_name(AttributeKind kind) {
    static constexpr std::string_view kNames[] = {
        "undefined", "float",   "int",     "string", "tensor",        "graph",          "floats", "ints",
        "strings",   "tensors", "graphs",  "sparse_tensor", "sparse_tensors", "type_proto",
        "type_protos"};
    const auto index = static_cast<size_t>(kind);
    return index < std::size(kNames) ? kNames[index] : kNames[0];
  }

  std::string attribute(const Attribute& a, int depth) const {
    const std::string typed = text_name(a.name) + " : " + std::string(kind_name(a.kind)) + " = ";
    if (!a.reference.empty()) return typed + "@" + a.reference;
    const std::string plain = text_name(a.name) + " = ";
    const auto list = [&](const auto& items, auto&& text) {
      return (items.empty() ? typed : plain) + "[" + joined(items, text) + "]";
    };
    const auto print = [&]<typename T>(const T& value) -> std::string {
      if constexpr (std::is_same_v<T, float>) {
        return plain + text_float(value);
      } else if constexpr (std::is_same_v<T, int64_t>) {
        return plain + std::to_string(value);
      } else if constexpr (std::is_same_v<T, std::string>) {
        return plain + text_string(value);
      } else if constexpr (std::is_same_v<T, StoredTensor>) {
        return plain + tensor(value);
      } else if constexpr (std::is_same_v<T, Attribute::Graphs>) {
        const auto text = [&](const auto& g) { return graph(*g, depth + 1); };
        if (a.kind == AttributeKind::kGraph && value.size() == 1) return plain + text(value[0]);
        return list(value, text);
      } else if constexpr (std::is_same_v<T, std::vector<float>>) {
        return list(value, text_float);
      } else if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
        return list(value, [](int64_t i) { return std::to_string(i); });
      } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
        return list(value, text_string);
      } else if constexpr (std::is_same_v<T, std::vector<StoredTensor>>) {
        return list(value, [&](const StoredTensor& t) { return tensor(t); });
      } else {
        return typed + "...";
      }
    };
    return std::visit(print, a.payload);
  }

  int64_t max_elements_;
};

}  // namespace

std::string to_text(const Graph& graph, int64_t max_elements) {
  return Printer(max_elements).graph(graph, 0) + "\n";
}

std::string to_text(const Model& model, int64_t max_elements) {
  const Printer printer(max_elements);
  std::string out = fmt::format("<\n  ir_version: {},\n  opset_import: [{}]\n>\n", model.ir_version,
                                Printer::opsets(model.opset_imports));
  out += printer.graph(*model.graph, 0) + "\n";
  for (const Function& f : model.functions) out += printer.function(f);
  return out;
}

}  // namespace fettle::ir
