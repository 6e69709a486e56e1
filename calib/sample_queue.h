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

// The inputs of one or several runs, of `batch` samples each, from the sample `first` on.
struct SampleUnit {
  int64_t first = 0;
  int64_t batch = 1;
  std::vector<interp::Feeds> runs;
};

// The outputs of the runs of a unit, in order; where one fails, those before it and the error.
struct UnitOutputs {
  std::vector<Outputs> runs;
  std::exception_ptr error;
};

// Called one at a time, but from the thread of any lane. Both may be left out.
struct SampleSinks {
  // Outputs of the samples [first, first + data.batch()), in order, for every sample once. Views:
  // what outlives the call must be copied.
  std::function<void(int64_t first, const Outputs& outputs)> on_outputs;
  // After every unit; `done` rises, and ends at `total`.
  std::function<void(int64_t done, int64_t total)> progress;
};

class SampleQueue {
 public:
  // The samples [0, total), a multiple of data.batch().
  SampleQueue(Dataset& data, int64_t total, const SampleSinks& sinks);

  // Runs in the units handed out from now on; the last one may have fewer. 1 unless set.
  void set_unit_runs(int64_t runs);
  // Outputs like these, of one run, may take `most_bytes` while they wait for those before them;
  // units whose outputs might have no room then are held back.
  void expect_outputs(const Outputs& outputs, int64_t most_bytes);
  // Reads the next unit; waits while none may be handed out. Nothing when none is left or one has
  // failed.
  std::optional<SampleUnit> next();

  // Every unit handed out is given back, by one of these; finish() adds to an error which sample it
  // is of.
  void finish(const SampleUnit& unit, UnitOutputs outputs);
  void fail(int64_t first, std::exception_ptr error);
  // Throws what the first sample that failed has thrown: those before it are done.
  void rethrow();

 private:
  struct Done {
    int64_t samples = 0;
    UnitOutputs outputs;
  };
  void hand_out_no_more();
  void put(int64_t first, Done done);
  void deliver(int64_t first, const Done& done);

  Dataset& data_;
  const int64_t total_;
  const SampleSinks& sinks_;

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
