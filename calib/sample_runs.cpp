#include "calib/sample_runs.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include "calib/lane.h"
#include "calib/range_scan.h"
#include "calib/same_outputs.h"
#include "interp/parallel.h"
#include "interp/team.h"
#include "ir/buffer.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

// The values of all samples of a run together take no more than this, in bytes.
constexpr int64_t kMostBytes = int64_t{16} << 20;
constexpr int64_t kMostTogether = 16;
// What makes up for the trial and another plan, which cost a small convolutional network as much as
// running 60 to 100 samples together saves.
constexpr int64_t kLeastTogether = 4;
constexpr int64_t kLeastRuns = 8;
// Samples of the trial that are run one by one.
constexpr int64_t kTried = 3;
static_assert(kTried < kLeastTogether);

// What a lane's weights may take in the model, what it may hold in all, and what all lanes may, in
// bytes.
constexpr int64_t kMostWeightBytes = int64_t{32} << 20;
constexpr int64_t kMostLaneBytes = int64_t{64} << 20;
constexpr int64_t kMostBytesOfLanes = int64_t{512} << 20;
// Runs that make up for the plan of a lane.
constexpr int64_t kLeastLaneRuns = 8;
// Outputs that wait for those before them.
constexpr int64_t kMostWaitingBytes = int64_t{16} << 20;

int64_t weight_bytes(const ir::Model& model) {
  int64_t bytes = 0;
  const auto add = [&](const ir::Tensor& t) { bytes += static_cast<int64_t>(t.byte_size()); };
  ir::for_each_graph(*model.graph, [&](const ir::Graph& graph) {
    for (const ir::Value* value : graph.constants()) {
      if (value->constant() != nullptr) add(*value->constant());
    }
    for (const ir::Node& node : graph.nodes()) {
      for (const ir::Attribute& attribute : node.attributes()) {
        const auto* held = std::get_if<ir::StoredTensor>(&attribute.payload);
        if (held != nullptr) add(held->tensor);
      }
    }
  });
  return bytes;
}

int64_t samples_per_run(const interp::Trace& trace) {
  int64_t bytes = 1;
  for (const interp::StepRecord& step : trace.steps) bytes += step.bytes;
  return std::clamp<int64_t>(kMostBytes / bytes, 1, kMostTogether);
}

bool same(const std::vector<Outputs>& singles, const Outputs& together) {
  const auto count = static_cast<int64_t>(singles.size());
  for (size_t i = 0; i < together.size(); ++i) {
    std::vector<ir::Tensor> rows;
    for (const Outputs& single : singles) {
      if (!has_rows(single[i], 1)) return false;
      rows.push_back(single[i].tensor);
    }
    if (!same_rows(rows, together[i].tensor.slice_front(0, count))) return false;
  }
  return true;
}

class SampleRunner {
 public:
  SampleRunner(const ir::Model& model, Dataset& data, int64_t total,
               const interp::ExecutorOptions& options, const SampleSinks& sinks,
               const RangeSink& observed)
      : model_(model),
        data_(data),
        total_(total),
        options_(options),
        observed_(observed),
        queue_(data, total, sinks) {}

  SampleRuns run() {
    const int wanted = most_lanes();
    const ir::MemoryMeter meter;
    lane_ = make_lane(wanted > 1 ? 1 : options_.threads);
    SampleRuns how{1, run_first_ones()};
    lane_->keep_observed();
    if (wanted > 1) how.lanes = fitting_lanes(wanted, static_cast<int64_t>(meter.most()));
    if (wanted > 1 && how.lanes == 1) use_all_threads();
    run_rest(how.lanes);
    queue_.rethrow();
    return how;
  }

 private:
  // As many as there are threads and samples for; 1 for models that are large at first sight. (The
  // first lane then works with all threads from the beginning.)
  int most_lanes() const {
    if (options_.threads < 0) return 1;  // the executor refuses it
    if (!data_.uniform() || weight_bytes(model_) > kMostWeightBytes) return 1;
    const int cores = interp::available_cores();
    const int64_t threads = options_.threads > 0 ? std::min(options_.threads, cores) : cores;
    const int64_t runs = total_ / data_.batch();
    return static_cast<int>(std::max<int64_t>(1, std::min(threads, runs / kLeastLaneRuns)));
  }

  // So many of the lanes wanted as there is memory for, if that is half of them; else 1. `bytes`:
  // what the first one took.
  static int fitting_lanes(int wanted, int64_t bytes) {
    if (bytes > kMostLaneBytes) return 1;
    const int64_t most = std::min(kMostBytesOfLanes, free_bytes() / 2);
    const int64_t lanes = std::min<int64_t>(wanted, 1 + most / std::max<int64_t>(bytes, 1));
    return 2 * lanes >= wanted ? static_cast<int>(lanes) : 1;
  }
  static int64_t free_bytes() {
    const size_t used = ir::memory_in_use(), limit = ir::memory_limit();
    return used < limit ? static_cast<int64_t>(limit - used) : 0;
  }

  std::unique_ptr<Lane> make_lane(int threads) const {
    interp::ExecutorOptions options = options_;
    options.threads = threads;
    return std::make_unique<Lane>(model_, options, observed_.names);
  }

  void use_all_threads() {
    const Ranges kept = lane_->kept();
    lane_.reset();  // before the next one packs the weights
    lane_ = make_lane(options_.threads);
    lane_->keep(kept);
  }

  // Gives the unit's outputs, or what making them throws, to the queue. False when it threw.
  template <typename Work>
  bool pass(const SampleUnit& unit, Work&& outputs) {
    try {
      queue_.finish(unit, outputs());
      return true;
    } catch (...) {
      queue_.fail(unit.first, std::current_exception());
      return false;
    }
  }

  // On one lane: those that show how to run the rest. Returns how many samples run together.
  int64_t run_first_ones() {
    const bool together = !options_.exact && total_ >= kLeastRuns * kLeastTogether &&
                          allows_batches(model_, data_);
    const auto unit = queue_.next();
    if (!unit) return 1;
    interp::Trace trace;
    UnitOutputs first;
    pass(*unit, [&] {
      first = lane_->run_singly(*unit, together ? &trace : nullptr);
      if (first.error == nullptr) {
        queue_.expect_outputs(first.runs.front(), std::min(kMostWaitingBytes, free_bytes() / 4));
      }
      return first;
    });
    if (!together || first.error != nullptr || first.runs.empty()) return 1;
    return try_together(samples_per_run(trace), unit->runs, std::move(first.runs));
  }

  // Runs the samples that fill no run of `count`, which come first because the plan for one sample
  // is there already, then some more both ways. The first sample is done: `tried` and `singles`
  // hold what went in and came out. Returns how many samples run together.
  int64_t try_together(int64_t count, std::vector<interp::Feeds> tried,
                       std::vector<Outputs> singles) {
    if (count < kLeastTogether || total_ < kLeastRuns * count) return 1;
    const int64_t first = total_ % count;
    for (int64_t at = 1; at < first + kTried; ++at) {
      if (at == first) lane_->keep_observed();
      if (at <= first) tried.clear();
      if (at <= first) singles.clear();
      const auto unit = queue_.next();
      if (!unit) return 1;
      UnitOutputs outputs;
      pass(*unit, [&] { return outputs = lane_->run_singly(*unit); });
      if (outputs.error != nullptr || outputs.runs.empty()) return 1;
      tried.push_back(unit->runs.front());
      singles.push_back(outputs.runs.front());
    }
    queue_.set_unit_runs(count - kTried);
    const auto unit = queue_.next();
    if (!unit) return 1;
    tried.insert(tried.end(), unit->runs.begin(), unit->runs.end());
    bool together = false;
    pass(*unit, [&] { return run_both_ways(*unit, tried, singles, together); });
    queue_.set_unit_runs(together ? count : 1);
    return together ? count : 1;
  }

  // The outputs of the unit, whose samples are the last ones of `tried`; those before them gave
  // `singles`, one by one. `together`: whether these samples may run together.
  UnitOutputs run_both_ways(const SampleUnit& unit, const std::vector<interp::Feeds>& tried,
                            const std::vector<Outputs>& singles, bool& together) {
    const Ranges of_singles = lane_->take_observed();
    std::optional<Outputs> outputs;
    try {
      outputs = lane_->run_together(tried);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kLimit) throw;  // where memory is short, there is still the other way
    }
    const Ranges of_all = lane_->take_observed();
    together = outputs && same(singles, *outputs) &&
               ranges_agree(of_singles, kTried, of_all, static_cast<int64_t>(tried.size()));
    lane_->keep(together ? of_all : of_singles);
    if (!together) return lane_->run_singly(unit);
    UnitOutputs rows;
    for (size_t row = singles.size(); row < tried.size(); ++row) {
      rows.runs.push_back(rows_of(*outputs, static_cast<int64_t>(row)));
    }
    return rows;
  }

  // All lanes but the first have threads of their own: regions are not for work that takes so long.
  void run_rest(int lanes) {
    interp::FirstException first;
    {
      std::vector<std::jthread> others;
      for (int i = 1; i < lanes; ++i) {
        try {
          others.emplace_back([&] { first.guard([&] { pass_units(nullptr); }); });
        } catch (const std::system_error&) {
          break;  // the others do the work
        }
      }
      first.guard([&] { pass_units(std::move(lane_)); });
    }
    first.rethrow();
  }

  // A lane that is not made yet is made for the first unit that it gets.
  void pass_units(std::unique_ptr<Lane> lane) {
    while (const auto unit = queue_.next()) {
      const bool passed = pass(*unit, [&] {
        if (lane == nullptr) lane = make_lane(1);
        return lane->run(*unit);
      });
      if (!passed) break;
    }
    if (lane == nullptr || observed_.ranges == nullptr) return;
    lane->keep_observed();
    const std::lock_guard<std::mutex> lock(keeping_);
    for (const auto& [name, range] : lane->kept()) merge_range((*observed_.ranges)[name], range);
  }

  const ir::Model& model_;
  Dataset& data_;
  const int64_t total_;
  const interp::ExecutorOptions& options_;
  const RangeSink& observed_;
  SampleQueue queue_;
  std::unique_ptr<Lane> lane_;  // the first one
  std::mutex keeping_;          // of the ranges
};

}  // namespace

SampleRuns run_samples(const ir::Model& model, Dataset& data, int64_t total,
                       const interp::ExecutorOptions& options, const SampleSinks& sinks,
                       const RangeSink& observed) {
  FETTLE_ASSERT(total % data.batch() == 0 && total <= data.size());
  return SampleRunner(model, data, total, options, sinks, observed).run();
}

}  // namespace fettle::calib
