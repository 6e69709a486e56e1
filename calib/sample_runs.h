// The samples of a data set through a model: on several lanes side by side where it is small, and
// several in one run where it takes a batch of any extent and treats its samples independently.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "calib/dataset.h"
#include "calib/sample_queue.h"
#include "calib/table.h"

namespace fettle::calib {

// Values of the main graph whose ranges are added to `ranges`.
struct RangeSink {
  std::vector<std::string> names;
  std::map<std::string, TensorRange>* ranges = nullptr;
};

// How the samples were run.
struct SampleRuns {
  int lanes = 1;             // side by side, at most
  int64_t runs_of_unit = 1;  // more than one: samples that ran together
};

// Runs the samples [0, total), a multiple of data.batch(), each of which counts once in all sinks.
// The first sample that fails decides what is thrown, and sinks have seen those before it.
//
// Side by side: threads that share each step of a small model wait for each other, so every thread
// gets a lane with an executor of its own, if there are enough samples, all of the same shapes, and
// what a lane holds in memory is small, by itself and beside the memory limit. The numbers are those
// of one lane.
//
// Together: when allows_batches(), a trial on the first samples gives the same outputs (within 1e-4
// of an output's range) and ranges to match as runs of one sample, there are enough samples to make
// up for it, and the executor is not exact. How many depends on the size of the model's values only,
// never on time or threads, so that the same data give the same numbers. A later run that fails or
// gives other extents is repeated one by one.
SampleRuns run_samples(const ir::Model& model, Dataset& data, int64_t total,
                       const interp::ExecutorOptions& options, const SampleSinks& sinks,
                       const RangeSink& observed = {});

}  // namespace fettle::calib
