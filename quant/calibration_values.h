// Which values static quantization needs ranges of, known before calibration.
#pragma once

#include <string>
#include <vector>

#include "quant/plan.h"

namespace fettle::quant {

// Unit ranges for every float value: placement can be planned from it, not numbers.
calib::CalibrationTable stand_in_table(const ir::Model& model);

// The float values of the main graph whose ranges the plan may use; the executor may fuse away all
// others. The model must be prepared (quant/prepare.h) and have inferred types.
std::vector<std::string> calibration_values(const ir::Model& model, const PlanOptions& options);

// The static plan from a table of just these values. What is left in float has the reasons that it
// would have with a table of all values.
Plan plan_from_needed(const ir::Model& model, const calib::CalibrationTable& table,
                      const PlanOptions& options);

}  // namespace fettle::quant
