// Samples on their way through lanes: handed out in order, one reader at a time, and taken back in
// any order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "calib/batching.h"
#include "calib/dataset.h"

namespace fettle::calib {

// The samples from `first` on: inputs of one or several runs, of data.batch() samples each.
struct SampleUnit {
  int64_t first = 0;
  std::vector<interp::Feeds> runs;
};

class SampleQueue {
 public:
  // Called one at a time, in order, from whichever lane is there. May be left out.
  struct Sinks {
    std::function<void(int64_t first, const Outputs& outputs)> on_outputs;
    std::function<void(int64_t done, int64_t total)> progress;
  };

  // The samples [0, total), a multiple of data.batch().
  SampleQueue(Dataset& data, int64_t total, const Sinks& sinks);

  // Runs in the units handed out from now on; the last one may have fewer. 1 unless set.
  void set_unit_runs(int64_t runs);
  // Outputs like these, of one run, may wait for those before them; units whose outputs would be too
  // many are held back.
  void expect_outputs(const Outputs& outputs);
  // Reads the next unit. Nothing when none is left or one has failed.
  std::optional<SampleUnit> next();
  bool is_empty();

  // Every unit handed out is given back, by one of these. `outputs`: of every run.
  void finish(const SampleUnit& unit, std::vector<Outputs> outputs);
  void fail(int64_t first, std::exception_ptr error);
  // Throws what the first unit that failed has thrown: those before it are done.
  void rethrow();

 private:
  struct Done {
    int64_t samples = 0;
    std::vector<Outputs> outputs;
    std::exception_ptr error;
  };
  void put(int64_t first, Done done);
  void deliver(int64_t first, const Done& done);

  Dataset& data_;
  const int64_t total_;
  const Sinks& sinks_;

  std::mutex reading_;  // taken before mutex_
  std::mutex mutex_;    // of all that follows
  std::condition_variable room_;
  int64_t unit_runs_ = 1;
  int64_t handed_ = 0;  // samples
  int64_t ahead_;       // samples handed out before those done, at most, and one unit
  int64_t done_ = 0;    // samples delivered
  bool delivering_ = false;
  std::map<int64_t, Done> waiting_;  // by first sample
  std::exception_ptr error_;
};

}  // namespace fettle::calib
