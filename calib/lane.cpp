#include "calib/lane.h"

#include <algorithm>
#include <utility>

#include "calib/range_scan.h"
#include "ir/error.h"

namespace fettle::calib {
Lane::Lane(const ir::Model& model, const interp::ExecutorOptions& options,
           const std::vector<std::string>& observed)
    : executor_(model, options) {
  if (observed.empty()) return;
  executor_.observe_ranges(observed,
                           [this](const std::string& name, const interp::ElementRange& seen) {
                             merge_range(fresh_[name], tensor_range(seen));
                           });
}

UnitOutputs Lane::run(const SampleUnit& unit) {
  if (unit.runs.size() == 1) return run_singly(unit);
  keep_observed();
  const auto together = run_together(unit.runs);
  if (!together) return run_singly(unit);
  UnitOutputs outputs;
  const auto rows = static_cast<int64_t>(unit.runs.size());
  for (int64_t row = 0; row < rows; ++row) outputs.runs.push_back(rows_of(*together, row));
  return outputs;
}

UnitOutputs Lane::run_singly(const SampleUnit& unit, interp::Trace* trace) {
  expect_stacked(1);
  UnitOutputs outputs;
  try {
    for (const interp::Feeds& feeds : unit.runs) {
      outputs.runs.push_back(trace != nullptr ? executor_.run(feeds, *trace) : executor_.run(feeds));
    }
  } catch (...) {
    outputs.error = std::current_exception();
  }
  return outputs;
}

std::optional<Outputs> Lane::run_together(const std::vector<interp::Feeds>& samples) {
  const auto rows = static_cast<int64_t>(samples.size());
  const auto feeds = stack(samples);
  if (!feeds) return std::nullopt;
  expect_stacked(rows);
  try {
    Outputs outputs = executor_.run(*feeds);
    const auto fits = [rows](const ops::RuntimeValue& value) { return has_rows(value, rows); };
    if (std::all_of(outputs.begin(), outputs.end(), fits)) return outputs;
  } catch (const Error& error) {  // one that a single sample causes shows again when it runs alone
    if (error.code() == ErrorCode::kLimit || error.code() == ErrorCode::kInternal) throw;
  }
  fresh_.clear();
  return std::nullopt;
}

void Lane::expect_stacked(int64_t samples) {
  if (stacked_ != 0 && samples != stacked_) executor_.plan_for_next_shapes();
  stacked_ = samples;
}

Ranges Lane::take_observed() {
  return std::exchange(fresh_, {});
}

void Lane::keep(const Ranges& ranges) {
  for (const auto& [name, range] : ranges) merge_range(kept_[name], range);
}

}  // namespace fettle::calib
