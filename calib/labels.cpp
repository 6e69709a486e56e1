#include "calib/labels.h"

#include <cmath>

#include "ir/error.h"

namespace fettle::calib {
namespace {

const std::vector<std::string>& label_names() {
  static const std::vector<std::string> names{"labels", "label",   "y",       "Y",
                                              "y_test", "y_train", "targets", "target"};
  return names;
}

// Whole numbers as int64; nothing when an element is no whole number within +-2^53.
std::optional<std::vector<int64_t>> whole_numbers(const ir::Tensor& tensor) {
  if (!ir::is_floating(tensor.type())) return ir::elements_as_ints(tensor);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const double value = ir::element_as_double(tensor, i);
    if (!(std::fabs(value) <= 9007199254740992.0) || value != std::floor(value)) {
      return std::nullopt;
    }
    out.push_back(static_cast<int64_t>(value));
  }
  return out;
}

}  // namespace

std::optional<std::vector<int64_t>> read_labels(ArrayFile& file, ArrayNames& names, int64_t rows,
                                                std::vector<std::string>& notes) {
  const std::string name = names.unused(label_names());
  if (name.empty()) return std::nullopt;
  const auto array = file.open(name);
  names.mark_used(name);
  const ir::Dims& dims = array->dims();
  const bool vector = dims.size() == 1 || (dims.size() == 2 && dims[1] == 1);
  if (vector && dims[0] != rows) {
    fail(ErrorCode::kBadInput, "'{}' holds {} labels for {} samples; there must be one per sample",
         name, dims[0], rows);
  }
  std::optional<std::vector<int64_t>> labels;
  if (vector) labels = whole_numbers(array->read_all());
  if (!labels) {
    notes.push_back(fmt::format(
        "'{}' ({} {}) does not hold class indices (expected integers of shape [{}]); accuracy is "
        "not measured",
        name, ir::data_type_name(array->type()), ir::to_string(dims), rows));
  }
  return labels;
}

}  // namespace fettle::calib
