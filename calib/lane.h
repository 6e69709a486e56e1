// One executor that samples pass through, with what it observes of them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "calib/batching.h"
#include "calib/sample_queue.h"
#include "calib/table.h"

namespace fettle::calib {

using Ranges = std::unordered_map<std::string, TensorRange>;

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
  std::vector<Outputs> run(const SampleUnit& unit);
  std::vector<Outputs> run_singly(const SampleUnit& unit);
  // One run, and what it did.
  Outputs run(const interp::Feeds& feeds, interp::Trace& trace);
  // Several samples in one run; nothing when the model does not take these together, and then
  // nothing is observed.
  std::optional<Outputs> run_together(const std::vector<interp::Feeds>& samples);

  // What was observed since the last of these calls.
  Ranges take_observed();
  void discard_observed() { fresh_.clear(); }
  void keep_observed() { keep(fresh_); }
  // Counts these as observed; empties them.
  void keep(Ranges& ranges);
  // All that was kept.
  const Ranges& kept() const { return kept_; }

 private:
  void expect_rows(int64_t rows);

  interp::Executor executor_;
  int64_t rows_ = 0;  // samples in the last run
  Ranges fresh_;
  Ranges kept_;
};

}  // namespace fettle::calib
