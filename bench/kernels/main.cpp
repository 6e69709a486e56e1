// Times every case of cases.cpp on 1 and 2 threads:
//
//   fettle_kernel_bench [--benchmark_filter=conv/.*] [--benchmark_format=json] ...
//
// A time is that of one Executor::run. The label names the kernels that computed it; "reference" is
// the slow path that defines the result.
#include <benchmark/benchmark.h>

#include "bench/kernels/cases.h"
#include "bench/kernels/graph_builder.h"

namespace fettle::bench {
namespace {

constexpr int kWarmup = 3;

// Bytes that one run reads and writes at least.
double bytes_moved(const Workload& work, const interp::Feeds& feeds,
                   const std::vector<ops::RuntimeValue>& outputs) {
  size_t read = 0;
  size_t written = 0;
  for (const ir::Value* value : work.model.graph->constants())
    read += value->constant()->byte_size();
  for (const auto& [name, value] : feeds) read += value.tensor.byte_size();
  for (const auto& value : outputs) written += value.tensor.byte_size();
  return static_cast<double>(written + (work.selects ? written : read));
}

std::string kernels_of(const interp::Trace& trace) {
  std::string names;
  for (const interp::StepRecord& step : trace.steps) {
    names += (names.empty() ? "" : " ") + step.op + "[" + step.kernel + "]";
  }
  return names;
}

void measure(benchmark::State& state, const Case& subject) {
  const Workload work = subject.make();
  interp::ExecutorOptions options;
  options.threads = static_cast<int>(state.range(0));
  interp::Executor executor(work.model, options);
  const interp::Feeds feeds = random_feeds(work.model);
  const double bytes = bytes_moved(work, feeds, executor.run(feeds));
  for (int i = 0; i < kWarmup; ++i) executor.run(feeds);
  interp::Trace trace;
  executor.run(feeds, trace);
  for (auto _ : state) benchmark::DoNotOptimize(executor.run(feeds));
  state.SetLabel(kernels_of(trace));
  const bool computes = work.operations > 0;
  state.counters[computes ? "FLOP/s" : "B/s"] = benchmark::Counter(
      computes ? work.operations : bytes, benchmark::Counter::kIsIterationInvariantRate,
      benchmark::Counter::kIs1000);
}

void add(const Case& subject) {
  benchmark::RegisterBenchmark(subject.name.c_str(),
                               [subject](benchmark::State& state) { measure(state, subject); })
      ->ArgName("threads")
      ->Arg(1)
      ->Arg(2)
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace fettle::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const auto& subject : fettle::bench::all_cases()) fettle::bench::add(subject);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
