#include "passes/check.h"

#include <cmath>

#include "ir/error.h"

namespace fettle::passes {
namespace {

// Elements i of both tensors as numbers; complex numbers and strings are compared as bytes instead.
std::string tensor_difference(const ir::Tensor& a, const ir::Tensor& b, double tolerance) {
  if (a.type() != b.type() || a.dims() != b.dims()) {
    return fmt::format("was {}{}, is {}{}", ir::data_type_name(a.type()), ir::to_string(a.dims()),
                       ir::data_type_name(b.type()), ir::to_string(b.dims()));
  }
  if (ir::identical(a, b)) return "";
  if (!ir::is_floating(a.type())) return "the elements differ";
  double range = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double v = std::abs(ir::element_as_double(a, i));
    if (std::isfinite(v)) range = std::max(range, v);
  }
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = ir::element_as_double(a, i), y = ir::element_as_double(b, i);
    if ((std::isnan(x) && std::isnan(y)) || x == y) continue;
    if (!(std::abs(x - y) <= tolerance * range)) {
      return fmt::format("element {} was {}, is {} (range {})", i, x, y, range);
    }
  }
  return "";
}

std::string value_difference(const ops::RuntimeValue& a, const ops::RuntimeValue& b,
                             double tolerance) {
  if (a.kind != b.kind) return "the kinds of value differ";
  if (a.is_tensor()) return tensor_difference(a.tensor, b.tensor, tolerance);
  if (a.items == nullptr || b.items == nullptr) return a.items == b.items ? "" : "one is empty";
  if (a.items->size() != b.items->size()) return "the lengths differ";
  for (size_t i = 0; i < a.items->size(); ++i) {
    const std::string text = value_difference((*a.items)[i], (*b.items)[i], tolerance);
    if (!text.empty()) return fmt::format("item {}: {}", i, text);
  }
  return "";
}

}  // namespace

double largest_epsilon(const ir::Model& model) {
  double largest = 0;
  const auto see = [&largest](ir::DataType type) {
    if (type == ir::DataType::kFloat16) largest = std::max(largest, 0x1.0p-10);
    if (type == ir::DataType::kBfloat16) largest = std::max(largest, 0x1.0p-7);
  };
  for (const ir::Value* v : model.graph->constants()) {
    if (v->constant() != nullptr) see(v->constant()->type());
  }
  for (const auto* values : {&model.graph->inputs(), &model.graph->outputs()}) {
    for (const ir::Value* v : *values) {
      if (v->type.is_tensor()) see(v->type.element);
    }
  }
  return largest;
}

double tolerance_of(Exactness exactness, double epsilon) {
  switch (exactness) {
    case Exactness::kExact: return 0;
    case Exactness::kRounding: return std::max(1e-4, 8 * epsilon);
    case Exactness::kLossy: break;
  }
  return std::numeric_limits<double>::infinity();
}

std::string difference(const std::vector<ops::RuntimeValue>& before,
                       const std::vector<ops::RuntimeValue>& after, double tolerance) {
  if (before.size() != after.size()) return "the number of outputs differs";
  for (size_t i = 0; i < before.size(); ++i) {
    const std::string text = value_difference(before[i], after[i], tolerance);
    if (!text.empty()) return fmt::format("output {}: {}", i, text);
  }
  return "";
}

Outputs run_all(const ir::Model& model, const std::vector<interp::Feeds>& inputs,
                const interp::ExecutorOptions& options) {
  interp::Executor executor(model, options);
  Outputs outputs;
  for (const interp::Feeds& feeds : inputs) {
    outputs.of_input.emplace_back();
    outputs.errors.emplace_back();
    try {
      outputs.of_input.back() = executor.run(feeds);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInternal) throw;
      outputs.errors.back() = error.what();
    }
  }
  return outputs;
}

std::string difference(const Outputs& before, const Outputs& after, double tolerance) {
  for (size_t i = 0; i < before.of_input.size(); ++i) {
    if (!before.errors[i].empty()) continue;
    const std::string text = !after.errors[i].empty()
                                 ? "it fails: " + after.errors[i]
                                 : difference(before.of_input[i], after.of_input[i], tolerance);
    if (!text.empty()) return fmt::format("input set {}: {}", i, text);
  }
  return "";
}

}  // namespace fettle::passes
