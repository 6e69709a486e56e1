#include "interp/executor.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_map>

#include "interp/feeds.h"
#include "interp/frame.h"
#include "interp/plan.h"
#include "interp/team.h"
#include "ir/error.h"
#include "ir/inline_functions.h"

namespace fettle::interp {
namespace {

// Sets the number of threads of regions that this thread opens, for one scope.
class ThreadCount {
 public:
  // More than there are cores would wait for each other.
  explicit ThreadCount(int threads) : before_(team_size()) {
    const int cores = available_cores();
    set_team_size(threads > 0 ? std::min(threads, cores) : cores);
  }
  ~ThreadCount() { set_team_size(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

// Keeps the memory of freed small values in the heap instead of returning it to the system after
// every node; large ones are recycled by ir/page_pool.h.
void keep_freed_memory() {
#ifdef __GLIBC__
  static const bool done = [] {
    return mallopt(M_MMAP_THRESHOLD, 4 << 20) != 0 && mallopt(M_TRIM_THRESHOLD, 16 << 20) != 0;
  }();
  (void)done;
#endif
}

class ObservedSlot : public Observed {
 public:
  explicit ObservedSlot(Slot& slot) : slot_(slot) {}
  const ir::Tensor& tensor() override { return slot_.plain().tensor; }
  ir::Tensor unordered() override {
    const Blocked* blocked = slot_.blocked.get();
    const bool as_stored =
        !slot_.value.is_tensor() && blocked != nullptr && !is_padded(blocked->desc);
    if (as_stored) {
      return ir::Tensor(blocked->type, {ir::element_count(blocked->dims())}, blocked->buffer);
    }
    return tensor().reshaped({tensor().size()});
  }

 private:
  Slot& slot_;
};

bool calls_functions(const ir::Model& model) {
  bool found = false;
  if (model.functions.empty()) return false;
  ir::for_each_graph(*model.graph, [&](ir::Graph& graph) {
    for (const ir::Node& node : graph.nodes()) {
      found = found || model.find_function(node.domain, node.op_type, node.overload) != nullptr;
    }
  });
  return found;
}

// Types of the inputs when the model fixes them all.
std::optional<std::vector<ir::Type>> declared_inputs(const ir::Graph& graph) {
  std::vector<ir::Type> types;
  for (const ir::Value* input : graph.inputs()) {
    const ir::Type& type = input->type;
    const bool fixed = type.is_tensor() && type.element != ir::DataType::kUndefined && type.shape &&
                       ir::known_dims(*type.shape);
    if (!fixed) return std::nullopt;
    types.push_back(type);
  }
  return types;
}

std::vector<ir::Type> types_of(const std::vector<ops::RuntimeValue>& values) {
  std::vector<ir::Type> types;
  for (const ops::RuntimeValue& value : values) {
    types.push_back(value.is_tensor()
                        ? ir::Type::tensor(value.tensor.type(), ir::shape_of(value.tensor.dims()))
                        : ir::Type{});
  }
  return types;
}

// `type` is of a tensor with fixed dims.
bool is_type_of(const ir::Type& type, const ir::Tensor& tensor) {
  if (!type.is_tensor() || type.element != tensor.type() || type.shape->size() != tensor.rank()) {
    return false;
  }
  for (size_t i = 0; i < tensor.rank(); ++i) {
    if ((*type.shape)[i].value != tensor.dim(i)) return false;
  }
  return true;
}

}  // namespace

struct Executor::Impl {
  ExecutorOptions options;
  ir::Model inlined;  // holds a graph only when the model calls its own functions
  const ir::Model* model = nullptr;
  std::unique_ptr<Plan> plan;  // made when it is needed
  Observer observer;
  RangeObserver range_observer;  // at most one of the two is set
  std::set<std::string> watched;
  bool notes_ranges = false;  // as PlanOptions::ranges
  std::set<std::string> overridden;
  // Types of the inputs that the plan is made for: those of the first run, unless the model
  // declares them; nothing once runs have differed.
  std::optional<std::vector<ir::Type>> specialized;
  bool differed = false;

  Impl(const ir::Model& source, ExecutorOptions chosen) : options(chosen), model(&source) {
    keep_freed_memory();
    if (options.threads < 0) {
      fail(ErrorCode::kUsage, "expected a thread count of 0 or more, found {}", options.threads);
    }
    if (calls_functions(source)) {
      inlined = ir::clone(source);
      ir::inline_functions(inlined);
      model = &inlined;
    }
    check_operators(*model);
    specialized = declared_inputs(*model->graph);
  }

  void make() {
    const ThreadCount threads(options.threads);
    plan.reset();  // its packed weights need not live beside those of the next one
    plan = make_plan(*model, PlanOptions{options.exact, watched, notes_ranges, overridden, specialized});
  }

  // Plans for observing these values, by nobody yet.
  void watch(const std::vector<std::string>& names, bool ranges) {
    std::set<std::string> before = std::exchange(watched, {names.begin(), names.end()});
    const bool noted_before = std::exchange(notes_ranges, ranges);
    try {
      make();
    } catch (...) {
      watched = std::move(before);
      notes_ranges = noted_before;
      make();
      throw;
    }
    observer = nullptr;
    range_observer = nullptr;
  }

  // Plans for the shapes of the first run, and for all shapes when a later run has others.
  void accept_shapes(const std::vector<ops::RuntimeValue>& inputs) {
    if (differed || options.exact) return;
    const auto same = [](const ir::Type& type, const ops::RuntimeValue& value) {
      return value.is_tensor() ? is_type_of(type, value.tensor) : !type.is_tensor();
    };
    if (specialized &&
        std::equal(specialized->begin(), specialized->end(), inputs.begin(), inputs.end(), same)) {
      return;
    }
    differed = specialized.has_value();
    specialized.reset();
    if (!differed) specialized = types_of(inputs);
    make();
  }

  // Plans anew when an input that has an initializer is fed for the first time.
  void accept_overrides(const Feeds& feeds) {
    bool changed = false;
    for (const ir::Value* input : model->graph->inputs()) {
      if (!input->has_initializer() || !feeds.contains(input->name())) continue;
      changed = overridden.insert(input->name()).second || changed;
    }
    if (changed) make();
  }

  void show(const std::string& name, Slot& slot) const {
    if (slot.blocked == nullptr && !slot.value.is_tensor()) return;
    ObservedSlot value(slot);
    if (observer) return observer(name, value);
    const ir::Tensor elements = value.unordered();
    if (ir::is_floating(elements.type()) && elements.size() > 0) {
      range_observer(name, scan_range(elements));
    }
  }

  void show_constants() const {
    for (const WatchedConstant& constant : plan->watched_constants) {
      Slot slot{*constant.value, nullptr};
      show(constant.name, slot);
    }
  }

  std::vector<ops::RuntimeValue> run(const Feeds& feeds, Trace* trace) {
    const ThreadCount threads(options.threads);
    accept_overrides(feeds);
    if (plan == nullptr) make();
    std::vector<ops::RuntimeValue> inputs = bind_feeds(*model->graph, feeds, plan->defaults);
    accept_shapes(inputs);
    RunSettings settings;
    settings.iteration_limit = options.iteration_limit;
    settings.trace = trace;
    if (observer || range_observer) {
      show_constants();
      settings.on_stored = [this](const std::string& name, Slot& stored) { show(name, stored); };
      settings.on_range = range_observer;
    }
    return run_graph(plan->main, std::move(inputs), settings);
  }
};

Executor::Executor(const ir::Model& model, ExecutorOptions options)
    : impl_(std::make_unique<Impl>(model, options)) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;

std::vector<ops::RuntimeValue> Executor::run(const Feeds& feeds) {
  return impl_->run(feeds, nullptr);
}

std::vector<ops::RuntimeValue> Executor::run(const Feeds& feeds, Trace& trace) {
  using Clock = std::chrono::steady_clock;
  trace = {};
  trace.origin_us =
      std::chrono::duration<double, std::micro>(Clock::now().time_since_epoch()).count();
  return impl_->run(feeds, &trace);
}

void Executor::plan_for_next_shapes() {
  impl_->specialized = declared_inputs(*impl_->model->graph);
  impl_->differed = false;
}

void Executor::observe(const std::vector<std::string>& names, Observer observer) {
  impl_->watch(names, false);
  impl_->observer = std::move(observer);
}

void Executor::observe_ranges(const std::vector<std::string>& names, RangeObserver observer) {
  impl_->watch(names, true);
  impl_->range_observer = std::move(observer);
}

}  // namespace fettle::interp
