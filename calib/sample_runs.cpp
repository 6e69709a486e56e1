#include "calib/sample_runs.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "calib/lane.h"
#include "calib/range_scan.h"
#include "calib/same_outputs.h"
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
constexpr int64_t kTried = 4;
static_assert(kTried <= kLeastTogether);

// Weights and the values alive at a time of a lane beside others, in bytes.
constexpr int64_t kMostLaneBytes = int64_t{32} << 20;
constexpr int64_t kLeastLaneRuns = 2;
// Units under way or waiting per lane, so that none waits for a slower one.
constexpr int64_t kAhead = 4;

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

// The first run.
struct First {
  interp::Feeds feeds;
  Outputs outputs;
  interp::Trace trace;
};

class SampleRunner {
 public:
  SampleRunner(const ir::Model& model, Dataset& data, int64_t total,
               const interp::ExecutorOptions& options, const SampleSinks& sinks)
      : model_(model),
        data_(data),
        total_(total),
        options_(options),
        sinks_(sinks),
        threads_(options.threads > 0 ? options.threads : interp::available_cores()),
        weights_(weight_bytes(model)),
        queue_(data, total, sinks.queue) {}

  void run() {
    const int64_t runs = total_ / data_.batch();
    bool side_by_side = threads_ > 1 && runs >= kLeastLaneRuns * threads_ && fits_beside_others(0);
    lane_ = make_lane(side_by_side ? 1 : options_.threads);
    run_first();
    if (side_by_side && !fits_beside_others(first_.trace.peak_bytes)) {
      side_by_side = false;
      keep(*lane_);
      lane_.reset();  // before the next one packs the weights
      lane_ = make_lane(options_.threads);
    }
    if (may_run_together()) try_together();
    first_ = {};
    if (side_by_side) {
      interp::run_shares(
          threads_, [](void* runner) { static_cast<SampleRunner*>(runner)->run_lane(); }, this);
    } else {
      run_rest(lane_, options_.threads);
    }
    queue_.rethrow();
  }

 private:
  // Whether lanes of so many bytes besides the weights are small and leave memory for others.
  bool fits_beside_others(int64_t bytes) const {
    const int64_t lane = weights_ + bytes;
    const size_t used = ir::memory_in_use(), limit = ir::memory_limit();
    return lane <= kMostLaneBytes && used < limit &&
           static_cast<size_t>(lane * threads_) <= (limit - used) / 2;
  }

  std::unique_ptr<Lane> make_lane(int threads) const {
    interp::ExecutorOptions options = options_;
    options.threads = threads;
    return std::make_unique<Lane>(model_, options, sinks_.observed);
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

  void run_first() {
    const auto unit = queue_.next();
    if (!unit) return;
    first_.feeds = unit->runs.front();
    pass(*unit, [&] {
      first_.outputs = lane_->run(first_.feeds, first_.trace);
      queue_.expect_outputs(first_.outputs);
      return std::vector<Outputs>{first_.outputs};
    });
  }

  // A lane that is not made yet is made for the first unit that it gets.
  void run_rest(std::unique_ptr<Lane>& lane, int threads) {
    while (const auto unit = queue_.next()) {
      const bool passed = pass(*unit, [&] {
        if (lane == nullptr) lane = make_lane(threads);
        return lane->run(*unit);
      });
      if (!passed) break;
    }
    if (lane != nullptr) keep(*lane);
  }

  void run_lane() {
    std::unique_ptr<Lane> own;
    run_rest(interp::share_index() == 0 ? lane_ : own, 1);
  }

  bool may_run_together() const {
    return !options_.exact && total_ >= kLeastRuns * kLeastTogether &&
           allows_batches(model_, data_);
  }

  // Runs the samples that fill no run of several, which come first because the plan for one sample
  // is there already, then some more both ways. Leaves the units of the rest as they shall be.
  void try_together() {
    const int64_t count = samples_per_run(first_.trace);
    if (count < kLeastTogether || total_ < kLeastRuns * count) return;
    const int64_t first = total_ % count;
    std::vector<interp::Feeds> tried{std::move(first_.feeds)};
    std::vector<Outputs> singles{std::move(first_.outputs)};
    for (int64_t at = 1; at < first + kTried; ++at) {
      if (at == first) lane_->keep_observed();
      if (at <= first) tried.clear();
      if (at <= first) singles.clear();
      const auto unit = queue_.next();
      if (!unit) return;
      tried.push_back(unit->runs.front());
      const bool passed = pass(*unit, [&] {
        std::vector<Outputs> outputs = lane_->run(*unit);
        singles.push_back(outputs.front());
        return outputs;
      });
      if (!passed) return;
    }
    queue_.set_unit_runs(count - kTried);
    const auto unit = queue_.next();
    if (!unit) return;
    tried.insert(tried.end(), unit->runs.begin(), unit->runs.end());
    bool together = false;
    pass(*unit, [&] { return run_both_ways(*unit, tried, singles, together); });
    queue_.set_unit_runs(together ? count : 1);
  }

  // The outputs of the unit, whose samples are the last ones of `tried`; those before them gave
  // `singles`, one by one. `together`: whether these samples may run together.
  std::vector<Outputs> run_both_ways(const SampleUnit& unit,
                                     const std::vector<interp::Feeds>& tried,
                                     const std::vector<Outputs>& singles, bool& together) {
    Ranges of_singles = lane_->take_observed();
    const auto outputs = lane_->run_together(tried);
    Ranges of_all = lane_->take_observed();
    together = outputs && same(singles, *outputs) &&
               ranges_agree(of_singles, kTried, of_all, static_cast<int64_t>(tried.size()));
    lane_->keep(together ? of_all : of_singles);
    if (!together) return lane_->run_singly(unit);
    std::vector<Outputs> rows;
    for (size_t row = singles.size(); row < tried.size(); ++row) {
      rows.push_back(rows_of(*outputs, static_cast<int64_t>(row)));
    }
    return rows;
  }

  void keep(Lane& lane) {
    lane.keep_observed();
    if (sinks_.ranges == nullptr) return;
    const std::lock_guard<std::mutex> lock(keeping_);
    for (const auto& [name, range] : lane.kept()) merge_range((*sinks_.ranges)[name], range);
  }

  const ir::Model& model_;
  Dataset& data_;
  const int64_t total_;
  const interp::ExecutorOptions& options_;
  const SampleSinks& sinks_;
  const int threads_;
  const int64_t weights_;
  SampleQueue queue_;
  std::unique_ptr<Lane> lane_;  // of the calling thread
  First first_;
  std::mutex keeping_;
};

}  // namespace

void run_samples(const ir::Model& model, Dataset& data, int64_t total,
                 const interp::ExecutorOptions& options, const SampleSinks& sinks) {
  FETTLE_ASSERT(total % data.batch() == 0 && total <= data.size());
  SampleRunner(model, data, total, options, sinks).run();
}

}  // namespace fettle::calib
