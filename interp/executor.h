// Runs a model.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "interp/element_range.h"
#include "interp/trace.h"
#include "ir/model.h"
#include "ops/runtime_value.h"

namespace fettle::interp {

struct ExecutorOptions {
  bool exact = false;                    // reference kernels only
  int threads = 0;                       // at most; 0: all cores, of which no more are used
  int64_t iteration_limit = 10'000'000;  // of Loop and Scan
};

// By graph input name. Inputs with an initializer may be left out.
using Feeds = std::map<std::string, ops::RuntimeValue>;

// A tensor of the main graph, shown right after it was computed or fed. Valid during the call that
// it is given to; tensors taken from it may be kept.
class Observed {
 public:
  virtual ~Observed() = default;
  virtual const ir::Tensor& tensor() = 0;
  // The same elements along one axis, in the order in which they lie in memory. Costs less than
  // tensor() where that is not row-major.
  virtual ir::Tensor unordered() = 0;
};

// Called with each observed tensor.
using Observer = std::function<void(const std::string& name, Observed& value)>;

// Called with the range of each observed tensor, once for every time that it is computed or fed.
using RangeObserver = std::function<void(const std::string& name, const ElementRange& range)>;

// A model prepared for repeated execution: kernels chosen, weights packed on first use. The model
// must outlive the executor and must not change meanwhile. Not thread safe; one per thread.
class Executor {
 public:
  // Throws kUnsupported naming the first node whose operator has no kernel.
  explicit Executor(const ir::Model& model, ExecutorOptions options = {});
  ~Executor();
  Executor(Executor&&) noexcept;

  // Values of the graph outputs, in order. Throws kBadInput for missing or unknown inputs and for
  // types or shapes that contradict the declaration; kernel errors carry the node as context.
  std::vector<ops::RuntimeValue> run(const Feeds& feeds);
  // The same; `trace` then tells what every step did.
  std::vector<ops::RuntimeValue> run(const Feeds& feeds, Trace& trace);

  // The next run's shapes are those to plan for, whatever shapes earlier runs had: a run with shapes
  // other than those planned for makes do with a slower plan for all. Plans anew, in the next run,
  // when these differ from the shapes that the model declares.
  void plan_for_next_shapes();

  // Calls `observer` for these values of the main graph during run(), in place of any earlier
  // observer. Unknown names throw kUsage.
  // An observed value keeps its exact meaning: fusions that would skip it are not applied.
  void observe(const std::vector<std::string>& names, Observer observer);
  // The same for the ranges of tensors of floating types that have elements; others are left out.
  // Costs less: steps that read or make a value note its range while it is in the cache.
  void observe_ranges(const std::vector<std::string>& names, RangeObserver observer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fettle::interp
