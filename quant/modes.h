// The four number format changes behind make_plan() and apply_plan(): each plans on a prepared
// model, and rewrites a model that was prepared in the same way.
#pragma once

#include "quant/names.h"
#include "quant/plan.h"

namespace fettle::quant {

Plan plan_static(const ir::Model& model, const calib::CalibrationTable& table,
                 const PlanOptions& options);
Plan plan_dynamic(const ir::Model& model, const PlanOptions& options);
Plan plan_weight_only(const ir::Model& model, const PlanOptions& options);
Plan plan_fp16(const ir::Model& model, const calib::CalibrationTable* table,
               const PlanOptions& options);

void apply_static(ir::Model& model, const Plan& plan);
void apply_dynamic(ir::Model& model, const Plan& plan);
void apply_weight_only(ir::Model& model, const Plan& plan);
void apply_fp16(ir::Model& model, const Plan& plan);

}  // namespace fettle::quant
