// The samples of a data set through a model: several in one run where the model takes a batch of
// any extent and treats its samples independently.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "calib/dataset.h"
#include "calib/table.h"
#include "interp/executor.h"

namespace fettle::calib {

using Ranges = std::unordered_map<std::string, TensorRange>;

// What is taken from the runs. Every member may be left out.
struct SampleSinks {
  // Outputs of the samples [first, first + data.batch()), in order, for every sample once. Views:
  // what outlives the call must be copied.
  std::function<void(int64_t first, const std::vector<ops::RuntimeValue>& outputs)> on_outputs;
  // After every run; `done` rises, and ends at `total`.
  std::function<void(int64_t done, int64_t total)> progress;
  // What an observer of the executor adds to, and where it goes once its run counts.
  Ranges* observed = nullptr;
  std::map<std::string, TensorRange>* ranges = nullptr;
};

// Runs the samples [0, total), a multiple of data.batch(), each of which counts once in all sinks.
//
// Samples are run together when the data has one sample per run, no input or output has a fixed
// first extent, every node is of a kind that keeps samples apart, a trial on the first samples
// gives the same outputs (within 1e-4 of an output's range) and ranges to match as runs of one
// sample, and there are enough samples to make up for it. How many depends on the size of the
// model's values only, never on time, so that the same data give the same numbers. A later run that
// fails or gives other extents is repeated one by one. `may_batch` false: never together.
void run_samples(const ir::Model& model, interp::Executor& executor, Dataset& data, int64_t total,
                 const SampleSinks& sinks, bool may_batch = true);

}  // namespace fettle::calib
