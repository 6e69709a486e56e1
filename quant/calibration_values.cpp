#include "quant/calibration_values.h"

#include "quant/placement.h"

namespace fettle::quant {
namespace {

bool is_clamp(const ir::Node* node) {
  const Placement* row = node != nullptr ? find_placement(*node) : nullptr;
  return row != nullptr && row->role == Role::kClamp;
}

bool only_clamps_read(const ir::Value& value) {
  if (value.uses().empty() || value.is_graph_output()) return false;
  for (const ir::Use& use : value.uses()) {
    if (!is_clamp(use.node)) return false;
  }
  return true;
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
    if (only_clamps_read(*v) && !plan.activations.contains(v->name())) continue;
    names.push_back(v->name());
  }
  return names;
}

}  // namespace fettle::quant
