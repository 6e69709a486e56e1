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

// What is taken from the runs.
struct SampleSinks {
  // Outputs of the samples [first, first + data.batch()), in order, for every sample once. Views:
  // what outlives the call must be copied. And after every unit, the number of samples done, which
  // rises and ends at the total. May be left out.
  SampleQueue::Sinks queue;
  // Values of the main graph whose ranges are added to `ranges`.
  std::vector<std::string> observed;
  std::map<std::string, TensorRange>* ranges = nullptr;
};

// Runs the samples [0, total), a multiple of data.batch(), each of which counts once in all sinks.
// The first sample that fails decides what is thrown.
//
// Side by side: a small model leaves threads that share each of its steps waiting for each other, so
// every thread gets a lane with an executor of its own, if weights and values of a lane are small
// and there are samples for all. The numbers are those of one lane.
//
// Together: when allows_batches(), a trial on the first samples gives the same outputs (within 1e-4
// of an output's range) and ranges to match as runs of one sample, there are enough samples to make
// up for it, and the executor is not exact. How many depends on the size of the model's values only,
// never on time or threads, so that the same data give the same numbers. A later run that fails or
// gives other extents is repeated one by one.
void run_samples(const ir::Model& model, Dataset& data, int64_t total,
                 const interp::ExecutorOptions& options, const SampleSinks& sinks);

}  // namespace fettle::calib
