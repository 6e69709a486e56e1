#include "interp/feeds.h"

#include "ir/error.h"

namespace fettle::interp {
namespace {

std::string describe(const ops::RuntimeValue& value) {
  switch (value.kind) {
    case ops::RuntimeValue::Kind::kNone:
      return "nothing";
    case ops::RuntimeValue::Kind::kSequence:
      return "a sequence";
    case ops::RuntimeValue::Kind::kOptional:
      return "an optional";
    case ops::RuntimeValue::Kind::kTensor:
      break;
  }
  return ir::to_string(ir::Type::tensor(value.tensor.type(), ir::shape_of(value.tensor.dims())));
}

std::string expected_inputs(const ir::Graph& graph) {
  std::string text;
  for (const ir::Value* input : graph.inputs()) {
    if (!text.empty()) text += ", ";
    text += fmt::format("'{}' {}", input->name(), ir::to_string(input->type));
    if (input->has_initializer()) text += " (optional)";
  }
  return text.empty() ? "no inputs" : text;
}

ops::RuntimeValue::Kind kind_of(const ir::Type& type) {
  switch (type.kind) {
    case ir::Type::Kind::kSequence:
      return ops::RuntimeValue::Kind::kSequence;
    case ir::Type::Kind::kOptional:
      return ops::RuntimeValue::Kind::kOptional;
    default:
      return ops::RuntimeValue::Kind::kTensor;
  }
}

// Extents that symbols have taken so far, and the input that fixed each.
struct Binding {
  int64_t extent;
  std::string input;
};

void check_shape(const ir::Value& input, const ops::RuntimeValue& value,
                 std::map<std::string, Binding>& symbols) {
  const ir::Shape& shape = *input.type.shape;
  const ir::Dims& dims = value.tensor.dims();
  bool fits = shape.size() == dims.size();
  for (size_t i = 0; fits && i < dims.size(); ++i) {
    fits = !shape[i].known() || shape[i].value == dims[i];
  }
  if (!fits) {
    fail(ErrorCode::kBadInput, "input '{}': expected {}, found {}", input.name(),
         ir::to_string(input.type), describe(value));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!shape[i].symbolic()) continue;
    const auto [at, fresh] = symbols.try_emplace(shape[i].symbol, Binding{dims[i], input.name()});
    if (at->second.extent == dims[i]) continue;
    fail(ErrorCode::kBadInput,
         "input '{}': dimension '{}' is {} here but {} in input '{}'; it must be the same in all",
         input.name(), shape[i].symbol, dims[i], at->second.extent, at->second.input);
  }
}

void check_value(const ir::Value& input, const ops::RuntimeValue& value,
                 std::map<std::string, Binding>& symbols) {
  const ir::Type& type = input.type;
  if (!type.known()) return;
  // An optional input may be fed with the element itself.
  const bool bare = type.kind == ir::Type::Kind::kOptional && value.is_tensor();
  if (!bare && value.kind != kind_of(type)) {
    fail(ErrorCode::kBadInput, "input '{}': expected {}, found {}", input.name(),
         ir::to_string(type), describe(value));
  }
  if (!type.is_tensor()) return;
  if (type.element != ir::DataType::kUndefined && value.tensor.type() != type.element) {
    fail(ErrorCode::kBadInput, "input '{}': expected {}, found {}", input.name(),
         ir::to_string(type), describe(value));
  }
  if (type.shape) check_shape(input, value, symbols);
}

}  // namespace

std::vector<ops::RuntimeValue> bind_feeds(const ir::Graph& graph, const Feeds& feeds,
                                          const std::vector<const ops::RuntimeValue*>& defaults) {
  for (const auto& [name, value] : feeds) {
    const ir::Value* known = graph.find(name);
    if (known != nullptr && known->is_input()) continue;
    fail(ErrorCode::kBadInput, "the model has no input '{}'; it expects {}", name,
         expected_inputs(graph));
  }
  std::map<std::string, Binding> symbols;
  std::vector<ops::RuntimeValue> bound;
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const ir::Value& input = *graph.inputs()[i];
    const auto fed = feeds.find(input.name());
    if (fed == feeds.end() && defaults[i] == nullptr) {
      fail(ErrorCode::kBadInput, "input '{}' is missing; the model expects {}", input.name(),
           expected_inputs(graph));
    }
    bound.push_back(fed == feeds.end() ? *defaults[i] : fed->second);
    if (fed != feeds.end()) check_value(input, fed->second, symbols);
  }
  return bound;
}

}  // namespace fettle::interp
