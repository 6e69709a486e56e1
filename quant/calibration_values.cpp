#include "quant/calibration_values.h"

#include <algorithm>

#include "quant/placement.h"

namespace fettle::quant {
namespace {

bool is_clamp(const ir::Node* node) {
  const Placement* row = node != nullptr ? find_placement(*node) : nullptr;
  return row != nullptr && row->role == Role::kClamp;
}

// Whether a mover is placed before or after its QuantizeLinear depends on the ranges on both sides.
bool touches_mover(const ir::Value& value) {
  const auto moves = [](const ir::Node* node) {
    const Placement* row = node != nullptr ? find_placement(*node) : nullptr;
    return row != nullptr && row->role == Role::kMover;
  };
  return moves(value.producer()) ||
         std::any_of(value.uses().begin(), value.uses().end(),
                     [&](const ir::Use& use) { return moves(use.node); });
}

bool is_float(const ir::Value& value) {
  return value.type.is_tensor() && value.type.element == ir::DataType::kFloat;
}

}  // namespace

calib::CalibrationTable stand_in_table(const ir::Model& model) {
  calib::CalibrationTable table;
  table.samples = 1;
  for (const ir::Value* v : model.graph->values()) {
    if (!is_float(*v) || v->has_initializer()) continue;
    table.tensors[v->name()] = {is_clamp(v->producer()) ? 0.0f : -1.0f, 1.0f, 1};
  }
  return table;
}

std::vector<std::string> calibration_values(const ir::Model& model, const PlanOptions& options) {
  const calib::CalibrationTable table = stand_in_table(model);
  const Plan plan = make_plan(model, &table, options);
  std::vector<std::string> names;
  for (const ir::Value* v : model.graph->values()) {
    if (v->is_constant() || (v->type.known() && !is_float(*v))) continue;
    const bool planned = plan.activations.contains(v->name()) || !v->type.known();
    if (planned || touches_mover(*v)) names.push_back(v->name());
  }
  return names;
}

Plan plan_from_needed(const ir::Model& model, const calib::CalibrationTable& table,
                      const PlanOptions& options) {
  calib::CalibrationTable filled = stand_in_table(model);
  for (const std::string& name : calibration_values(model, options)) filled.tensors.erase(name);
  std::vector<std::string> unobserved;
  for (const auto& [name, range] : filled.tensors) {
    if (!table.tensors.contains(name)) unobserved.push_back(name);
  }
  for (const auto& [name, range] : table.tensors) filled.tensors[name] = range;
  filled.samples = table.samples;
  filled.model_digest = table.model_digest;
  Plan plan = make_plan(model, &filled, options);
  const bool guessed =
      std::any_of(unobserved.begin(), unobserved.end(),
                  [&](const std::string& name) { return plan.activations.contains(name); });
  return guessed ? make_plan(model, &table, options) : plan;
}

}  // namespace fettle::quant
