// Which values static quantization needs ranges of, known before calibration.
#pragma once

#include <string>
#include <vector>

#include "quant/plan.h"

namespace fettle::quant {

// Unit ranges for every float value: placement can be planned from it, not numbers.
calib::CalibrationTable stand_in_table(const ir::Model& model);

// The float values of the main graph, but for those that only a Relu or Clip reads and whose own
// range the plan does not use: unobserved, they let the executor fuse producer and clamp. The model
// must be prepared (quant/prepare.h) and have inferred types.
std::vector<std::string> calibration_values(const ir::Model& model, const PlanOptions& options);

}  // namespace fettle::quant
