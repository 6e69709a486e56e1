// Ground truth beside the inputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "calib/array_names.h"

namespace fettle::calib {

// Class indices from the array `labels` (or, when they look like class indices, `label`, `y`,
// `targets`, ...): [rows] or [rows, 1], integers or whole numbers. Nothing when there is none. A
// `labels` array that is something else adds a note; one of another length throws kBadInput.
std::optional<std::vector<int64_t>> read_labels(ArrayFile& file, ArrayNames& names, int64_t rows,
                                                std::vector<std::string>& notes);

}  // namespace fettle::calib
