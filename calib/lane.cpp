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

std::vector<Outputs> Lane::run(const SampleUnit& unit) {
  if (unit.runs.size() == 1) return run_singly(unit);
  keep_observed();
  const auto together = run_together(unit.runs);
  if (!together) return run_singly(unit);
  std::vector<Outputs> outputs;
  const auto rows = static_cast<int64_t>(unit.runs.size());
  for (int64_t row = 0; row < rows; ++row) outputs.push_back(rows_of(*together, row));
  return outputs;
}

std::vector<Outputs> Lane::run_singly(const SampleUnit& unit) {
  expect_rows(1);
  std::vector<Outputs> outputs;
  for (const interp::Feeds& feeds : unit.runs) outputs.push_back(executor_.run(feeds));
  return outputs;
}

Outputs Lane::run(const interp::Feeds& feeds, interp::Trace& trace) {
  expect_rows(1);
  return executor_.run(feeds, trace);
}

std::optional<Outputs> Lane::run_together(const std::vector<interp::Feeds>& samples) {
  const auto rows = static_cast<int64_t>(samples.size());
  const auto feeds = stack(samples);
  if (!feeds) return std::nullopt;
  expect_rows(rows);
  try {
    Outputs outputs = executor_.run(*feeds);
    const auto fits = [rows](const ops::RuntimeValue& value) { return has_rows(value, rows); };
    if (std::all_of(outputs.begin(), outputs.end(), fits)) return outputs;
  } catch (const Error&) {  // one that a single sample causes shows again when it is run alone
  }
  discard_observed();
  return std::nullopt;
}

void Lane::expect_rows(int64_t rows) {
  if (rows_ != 0 && rows != rows_) executor_.plan_for_next_shapes();
  rows_ = rows;
}

Ranges Lane::take_observed() {
  return std::exchange(fresh_, {});
}

void Lane::keep(Ranges& ranges) {
  for (const auto& [name, range] : ranges) merge_range(kept_[name], range);
  ranges.clear();
}

}  // namespace fettle::calib
