#include "tools/finite.h"

#include <cmath>
#include <limits>

#include "ir/error.h"

namespace fettle::tools {
namespace {

// The first element for which `bad` holds, as "NaN" or "infinity"; empty when there is none.
template <typename Bad>
std::string first_bad(const ir::Tensor& t, Bad bad) {
  if (!t.defined() || !ir::is_floating(t.type())) return "";
  const auto name = [](double x) { return std::isnan(x) ? "NaN" : "infinity"; };
  if (t.type() == ir::DataType::kFloat) {
    for (const float x : t.data<float>()) {
      if (bad(x)) return name(x);
    }
    return "";
  }
  for (int64_t i = 0; i < t.size(); ++i) {
    const double x = ir::element_as_double(t, i);
    if (bad(x)) return name(x);
  }
  return "";
}

}  // namespace

std::string non_finite_constant(const ir::Model& model) {
  for (const ir::Value* v : model.graph->constants()) {
    if (v->constant() == nullptr) continue;
    const std::string found = first_bad(*v->constant(), [](double x) { return !std::isfinite(x); });
    if (!found.empty()) return fmt::format("initializer '{}' holds {}", v->name(), found);
  }
  return "";
}

void require_numbers(const ir::Model& model, const std::vector<ops::RuntimeValue>& outputs,
                     int64_t first) {
  const auto bad = [](double x) { return std::isnan(x) || x == std::numeric_limits<double>::infinity(); };
  for (size_t i = 0; i < outputs.size() && i < model.graph->outputs().size(); ++i) {
    if (!outputs[i].is_tensor()) continue;
    const std::string found = first_bad(outputs[i].tensor, bad);
    if (found.empty()) continue;
    const std::string cause = non_finite_constant(model);
    fail(ErrorCode::kBadInput, "the model itself gives {} in output '{}' for sample {} of the data; {}", found,
         model.graph->outputs()[i]->name(), first,
         cause.empty() ? "check that the data are scaled as they were in training"
                       : cause + ": export it again from a sound checkpoint");
  }
}

}  // namespace fettle::tools
