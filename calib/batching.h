// Several samples in one run of a model.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "calib/dataset.h"
#include "interp/executor.h"

namespace fettle::calib {

using Outputs = std::vector<ops::RuntimeValue>;

// True when the data has one sample per run, no input or output has a fixed first extent, and every
// node is of a kind that keeps samples apart.
bool allows_batches(const ir::Model& model, const Dataset& data);

// True for numbers of `rows` rows that can be copied.
bool has_rows(const ops::RuntimeValue& value, int64_t rows);

// The inputs of samples of one row each, as the rows of one input each. Nothing when they do not
// fit together.
std::optional<interp::Feeds> stack(const std::vector<interp::Feeds>& samples);

// The outputs of one sample of a run of several: views.
Outputs rows_of(const Outputs& outputs, int64_t row);

}  // namespace fettle::calib
