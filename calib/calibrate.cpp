#include <algorithm>
#include <cmath>

#include "calib/derived_ranges.h"
#include "calib/sample_runs.h"
#include "calib/table.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

// A value whose element type is floating, or shows only at run time.
bool may_be_float(const ir::Value& value) {
  if (value.is_constant()) return false;
  if (!value.type.known()) return true;
  return value.type.is_tensor() &&
         (value.type.element == ir::DataType::kUndefined || ir::is_floating(value.type.element));
}

std::vector<std::string> values_to_observe(const ir::Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Value* input : graph.inputs()) {
    if (may_be_float(*input)) names.push_back(input->name());
  }
  for (const ir::Node& node : graph.nodes()) {
    for (const ir::Value* output : node.outputs()) {
      if (output != nullptr && may_be_float(*output)) names.push_back(output->name());
    }
  }
  return names;
}

// Whole batches within `max_samples` (0: all), at least one.
int64_t samples_to_run(const Dataset& data, int64_t max_samples) {
  const int64_t batch = data.batch();
  const int64_t wanted = max_samples > 0 ? std::min(max_samples, data.size()) : data.size();
  return std::max(wanted / batch, int64_t{1}) * batch;
}

// One pass over the samples. `derived` tells what is not observed.
CalibrationTable observe(const ir::Model& model, Dataset& data, const CalibrateOptions& options,
                         const std::vector<std::string>& names,
                         const std::vector<DerivedRange>& derived) {
  CalibrationTable table;
  table.model_digest = model_digest(model);
  table.samples = samples_to_run(data, options.max_samples);
  run_samples(model, data, table.samples, options.executor,
              {options.on_outputs, options.progress}, {names, &table.tensors});
  for (const DerivedRange& each : derived) {
    const auto source = table.tensors.find(each.source);
    if (source != table.tensors.end()) table.tensors[each.name] = range_of(each, source->second);
  }
  return table;
}

// True when the ranges that were derived are those that observing would have given: functions may
// turn infinity into numbers and numbers into infinity.
bool holds_for(const CalibrationTable& table, const std::vector<DerivedRange>& derived) {
  return std::all_of(derived.begin(), derived.end(), [&](const DerivedRange& each) {
    const auto found = table.tensors.find(each.name);
    if (found == table.tensors.end() || each.function.loop == nullptr) return true;
    const TensorRange& range = found->second;
    return range.non_finite == 0 && std::isfinite(range.min) && std::isfinite(range.max);
  });
}

}  // namespace

CalibrationTable calibrate(const ir::Model& model, Dataset& data, const CalibrateOptions& options) {
  if (options.max_samples < 0) {
    fail(ErrorCode::kUsage, "expected a number of samples of at least 0, found {}",
         options.max_samples);
  }
  const std::vector<std::string> names =
      options.names.empty() ? values_to_observe(*model.graph) : options.names;
  if (options.executor.exact) return observe(model, data, options, names, {});
  std::vector<std::string> needed = names;
  const std::vector<DerivedRange> derived = take_derived(model, needed);
  CalibrationTable table = observe(model, data, options, needed, derived);
  if (holds_for(table, derived)) return table;
  CalibrateOptions again = options;
  again.on_outputs = nullptr;  // has seen them
  return observe(model, data, again, names, {});
}

}  // namespace fettle::calib
