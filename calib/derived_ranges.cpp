#include "calib/derived_ranges.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <unordered_set>

namespace fettle::calib {
namespace {

// Rising for all attributes that unary_function() takes.
constexpr std::array<std::string_view, 6> kRising{"Clip",    "Exp",      "Relu",
                                                  "Sigmoid", "Softplus", "Tanh"};
constexpr std::array<std::string_view, 8> kMoving{"DepthToSpace", "Flatten",      "Identity",
                                                  "Reshape",      "SpaceToDepth", "Squeeze",
                                                  "Transpose",    "Unsqueeze"};

template <size_t n>
bool is_one_of(const std::array<std::string_view, n>& names, const std::string& op) {
  return std::find(names.begin(), names.end(), op) != names.end();
}

bool is_float(const ir::Value& value) {
  return value.type.is_tensor() && value.type.element == ir::DataType::kFloat;
}

// The function of a node whose output has a derived range.
std::optional<interp::UnaryFunction> function_of(const ir::Model& model, const ir::Node& node) {
  if (!node.is_default_domain() || node.outputs().size() != 1) return std::nullopt;
  if (is_one_of(kMoving, node.op_type)) return interp::UnaryFunction{};
  if (!is_one_of(kRising, node.op_type)) return std::nullopt;
  interp::NodeFacts facts{&node, model.opset(node.domain), {}};
  for (const ir::Value* input : node.inputs()) {
    const bool fixed = input != nullptr && input->is_constant();
    facts.constants.push_back(fixed ? input->constant() : nullptr);
  }
  return interp::unary_function(facts);
}

}  // namespace

std::vector<DerivedRange> take_derived(const ir::Model& model, std::vector<std::string>& names) {
  const std::unordered_set<std::string> wanted(names.begin(), names.end());
  std::vector<DerivedRange> derived;
  std::unordered_set<std::string> taken;
  for (const ir::Node& node : model.graph->nodes()) {
    const ir::Value* y = node.output(0);
    const ir::Value* x = node.input(0);
    if (y == nullptr || x == nullptr || !wanted.contains(y->name()) || !wanted.contains(x->name()))
      continue;
    if (!is_float(*x) || !is_float(*y)) continue;
    if (const auto function = function_of(model, node)) {
      derived.push_back({y->name(), x->name(), *function});
      taken.insert(y->name());
    }
  }
  std::erase_if(names, [&](const std::string& name) { return taken.contains(name); });
  return derived;
}

TensorRange range_of(const DerivedRange& derived, const TensorRange& source) {
  TensorRange range = source;
  if (range.count == 0 || derived.function.loop == nullptr) return range;
  std::array<float, 2> ends{source.min, source.max};
  derived.function.apply(ends.data(), ends.data(), 2);
  range.min = std::min(ends[0], ends[1]) + 0.0f;  // -0 becomes 0
  range.max = std::max(ends[0], ends[1]) + 0.0f;
  return range;
}

}  // namespace fettle::calib
