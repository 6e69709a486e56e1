// One executor that samples pass through, with what it observes of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "calib/batching.h"
#include "calib/sample_queue.h"
#include "calib/table.h"
#include "interp/executor.h"

namespace fettle::calib {

// Belongs to the thread that makes it. Ranges are of float values of the main graph.
class Lane {
 public:
  // Observes the ranges of the values named.
  Lane(const ir::Model& model, const interp::ExecutorOptions& options,
       const std::vector<std::string>& observed);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Outputs of every run of the unit: computed together when there are several and the model takes
  // them so, else one by one.
  UnitOutputs run(const SampleUnit& unit);
  // One by one. `trace`, if any, then tells of the last run.
  UnitOutputs run_singly(const SampleUnit& unit, interp::Trace* trace = nullptr);
  // Several samples in one run; nothing when the model does not take these together. Throws kLimit
  // when memory is short. Where it gives nothing, nothing is observed.
  std::optional<Outputs> run_together(const std::vector<interp::Feeds>& samples);

  // What was observed since the last of these calls.
  Ranges take_observed();
  void keep_observed() { keep(take_observed()); }
  // Counts these as observed.
  void keep(const Ranges& ranges);
  // All that was kept.
  const Ranges& kept() const { return kept_; }

 private:
  void expect_stacked(int64_t samples);

  interp::Executor executor_;
  int64_t stacked_ = 0;  // samples put together for the last run; 0: there was none
  Ranges fresh_;
  Ranges kept_;
};

}  // namespace fettle::calib
