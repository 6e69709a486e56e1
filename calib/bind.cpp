#include "calib/bind.h"

#include <fmt/ranges.h>

#include "calib/array_names.h"
#include "calib/convert.h"
#include "calib/labels.h"
#include "calib/shape_check.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

std::string expected_inputs(const ir::Model& model) {
  std::vector<std::string> parts;
  for (const ir::Value* input : model.graph->inputs()) {
    parts.push_back(fmt::format("'{}' {}{}", input->name(), ir::to_string(input->type),
                                input->has_initializer() ? " (optional)" : ""));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

void check_type(const BoundArray& bound) {
  if (bound.type.element == ir::DataType::kUndefined) return;
  if (convertible(bound.array->type(), bound.type.element)) return;
  fail(ErrorCode::kBadInput,
       "{} holds {}, but the input takes {}; convert the data, for instance with "
       "array.astype('{}')",
       bound.describe(), ir::data_type_name(bound.array->type()), ir::to_string(bound.type),
       ir::data_type_name(bound.type.element) == "float" ? "float32"
                                                         : ir::data_type_name(bound.type.element));
}

[[noreturn]] void fail_shape(const BoundArray& bound) {
  const ir::Shape& shape = *bound.type.shape;
  fail(ErrorCode::kBadInput, "{} has shape {}, but the input takes {}: expected an array of {}{}",
       bound.describe(), ir::to_string(bound.array->dims()), ir::to_string(bound.type),
       sample_shape(shape), shape_hint(shape, bound.array->dims()));
}

// Decides between the two layouts by rank and checks the shape.
void check_shape(BoundArray& bound) {
  const ir::Dims& dims = bound.array->dims();
  if (bound.array->stacked()) {
    bound.whole = true;
    return check_whole_tensor(bound, ir::Dims(dims.begin() + 1, dims.end()));
  }
  if (!bound.type.shape) {
    if (!dims.empty()) return;
    fail(ErrorCode::kBadInput, "{} is a single value; expected an array with samples along axis 0",
         bound.describe());
  }
  const ir::Shape& shape = *bound.type.shape;
  if (dims.size() == shape.size() + 1) {
    bound.whole = true;
    if (!dims_fit(shape, ir::Dims(dims.begin() + 1, dims.end()))) fail_shape(bound);
  } else if (dims.empty() || !dims_fit(shape, dims, 1)) {
    fail_shape(bound);
  }
}

BoundArray bind_one(ArrayNames& names, const ir::Value& input, bool only,
                    std::vector<std::string>& notes) {
  BoundArray bound{input.name(), input.type, names.find(input.name()), false};
  if (bound.array == nullptr && only) {
    bound.array = names.find_customary();
    if (bound.array != nullptr && !bound.array->name().empty()) {
      notes.push_back(
          fmt::format("array '{}' is taken for input '{}'", bound.array->name(), input.name()));
    }
  }
  if (bound.array == nullptr) return bound;
  check_type(bound);
  check_shape(bound);
  return bound;
}

// The model's fixed batch extent: that of the inputs whose axis 0 is samples.
int64_t common_batch(const std::vector<BoundArray>& arrays) {
  const BoundArray* fixed = nullptr;
  for (const BoundArray& bound : arrays) {
    if (bound.whole || !bound.type.shape || !bound.type.shape->front().known()) continue;
    const int64_t extent = bound.type.shape->front().value;
    if (extent == 0) {
      fail(ErrorCode::kBadInput, "input '{}' has a batch extent of 0: {}", bound.input,
           ir::to_string(bound.type));
    }
    if (fixed != nullptr && fixed->type.shape->front().value != extent) {
      fail(ErrorCode::kBadInput,
           "inputs '{}' {} and '{}' {} have different batch extents; give whole tensors, with one "
           "axis more than the input, for the one that is not made of samples",
           fixed->input, ir::to_string(fixed->type), bound.input, ir::to_string(bound.type));
    }
    fixed = &bound;
  }
  return fixed != nullptr ? fixed->type.shape->front().value : 1;
}

void set_lengths(Binding& binding) {
  binding.batch = common_batch(binding.arrays);
  const BoundArray* first = nullptr;
  for (const BoundArray& bound : binding.arrays) {
    const int64_t length = bound.array->dims()[0];
    if (length == 0) {
      fail(ErrorCode::kBadInput, "{} has no samples: its shape is {}", bound.describe(),
           ir::to_string(bound.array->dims()));
    }
    if (first == nullptr || (first->whole && !bound.whole)) first = &bound;
  }
  const int64_t rows = first->array->dims()[0];
  for (const BoundArray& bound : binding.arrays) {
    const int64_t expected = bound.whole && !first->whole ? rows / binding.batch : rows;
    if (bound.array->dims()[0] == expected) continue;
    fail(ErrorCode::kBadInput,
         "{} has shape {} and {} has shape {}: expected {} entries in the latter; all arrays must "
         "have the same number of samples",
         first->describe(), ir::to_string(first->array->dims()), bound.describe(),
         ir::to_string(bound.array->dims()), expected);
  }
  binding.rows = rows;
  if (rows < binding.batch) {
    fail(ErrorCode::kBadInput,
         "the model runs batches of {} samples (input '{}' takes {}), but there are only {}; add "
         "samples",
         binding.batch, first->input, ir::to_string(first->type), rows);
  }
  if (binding.size() != rows) {
    binding.notes.push_back(
        fmt::format("the last {} of {} samples fill no batch of {} and are left "
                    "out",
                    rows - binding.size(), rows, binding.batch));
  }
}

}  // namespace

std::string BoundArray::describe() const {
  const std::string& name = array->name();
  if (name.empty()) return fmt::format("the array (for input '{}')", input);
  if (name == input) return fmt::format("array '{}'", name);
  return fmt::format("array '{}' (for input '{}')", name, input);
}

void check_whole_tensor(const BoundArray& bound, const ir::Dims& dims) {
  if (!bound.type.shape || dims_fit(*bound.type.shape, dims)) return;
  fail(ErrorCode::kBadInput, "{} holds a tensor of shape {}, but the input takes {}",
       bound.describe(), ir::to_string(dims), ir::to_string(bound.type));
}

Binding bind_arrays(ArrayFile& file, const ir::Model& model) {
  std::vector<const ir::Value*> inputs;
  size_t required = 0;
  for (const ir::Value* input : model.graph->inputs()) {
    if (!input->has_initializer()) ++required;
    inputs.push_back(input);
  }
  if (required == 0) fail(ErrorCode::kBadInput, "the model has no inputs, so it needs no data");
  Binding binding;
  ArrayNames names(file);
  for (const ir::Value* input : inputs) {
    const bool optional = input->has_initializer();
    if (!optional && input->type.known() && !input->type.is_tensor()) {
      fail(ErrorCode::kUnsupported, "input '{}' takes {}; data files hold tensors only",
           input->name(), ir::to_string(input->type));
    }
    BoundArray bound = bind_one(names, *input, !optional && required == 1, binding.notes);
    if (bound.array != nullptr) {
      binding.arrays.push_back(std::move(bound));
    } else if (!optional) {
      fail(ErrorCode::kBadInput,
           "there is no array for input '{}': the model expects {}; the data hold {}. Name the "
           "arrays after the inputs",
           input->name(), expected_inputs(model), describe_arrays(file));
    }
  }
  set_lengths(binding);
  binding.labels = read_labels(file, names, binding.rows, binding.notes);
  if (binding.labels) binding.labels->resize(static_cast<size_t>(binding.size()));
  for (const std::string& name : names.all_unused()) {
    binding.notes.push_back(fmt::format("array '{}' matches no input and is ignored", name));
  }
  return binding;
}

}  // namespace fettle::calib
