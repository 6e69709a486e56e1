// Latency and peak memory, measured in one process per model and engine so that peaks are each
// model's own, with bursts of runs of all of them interleaved so that noise hits all alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "interp/executor.h"
#include "ir/model.h"

namespace fettle::report {

enum class Engine { kFettle, kOnnxRuntime };
std::string engine_name(Engine engine);  // "fettle", "onnxruntime"

struct BenchRequest {
  std::string model_path;
  Engine engine = Engine::kFettle;
  std::string data_path;  // empty: random inputs
  std::string label;      // the model's path for people; empty: model_path
};

struct BenchOptions {
  int threads = 0;
  int warmup = 2;
  int runs = 20;
  double max_seconds = 10;   // over all requests together; at least three runs of each are made
  uint64_t seed = 0;
  bool exact = false;
  std::string ort_library;
};

// What a model was run on.
struct InputShape {
  std::string name;
  ir::Dims dims;
  bool symbolic = false;  // the model leaves an extent open
};
// In the order of the model's inputs; without those that are no tensors.
std::vector<InputShape> input_shapes(const ir::Model& model, const interp::Feeds& feeds);
// "inputs 'a' [1, 16], 'b' [1, 8]: symbolic extents chosen; ..." of the symbolic ones; empty when there are
// none. For shapes that were made up.
std::string chosen_shapes_note(const std::vector<InputShape>& inputs);

struct BenchResult {
  BenchRequest request;
  std::string engine_version;
  int threads = 0;
  std::vector<double> milliseconds;  // one per run, in order
  std::vector<InputShape> inputs;    // of every run
  int64_t peak_bytes = 0;            // peak resident memory of the process that ran it
  std::string error;                 // not empty: it could not be measured, and why

  double median_ms() const;
  double p95_ms() const;
};

// Names for tables: the last part of each label, or as many parts as tell different labels apart.
std::vector<std::string> display_names(const std::vector<BenchResult>& results);
// Says so when the runs of a result scatter too far (p95 above twice the median) for its figures to be
// relied on; empty otherwise.
std::string reliability_note(const std::vector<BenchResult>& results);

// Measures all requests round by round. A request that fails carries its error; the others go on.
std::vector<BenchResult> run_bench(const std::vector<BenchRequest>& requests,
                                   const BenchOptions& options);

// The worker process: loads what its arguments name, then answers each line on stdin with one on
// stdout: "run N" with N times in milliseconds, "peak" with its peak resident bytes, "inputs" with the
// shapes of its inputs in JSON. Returns the exit code. `arguments` as written by run_bench.
int bench_worker(const std::vector<std::string>& arguments);

}  // namespace fettle::report
