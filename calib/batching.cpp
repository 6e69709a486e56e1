#include "calib/batching.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "calib/range_scan.h"
#include "calib/same_outputs.h"
#include "ir/error.h"

namespace fettle::calib {
namespace {

using Outputs = std::vector<ops::RuntimeValue>;

// The values of all samples of a run take no more than this, in bytes.
constexpr int64_t kMostBytes = int64_t{16} << 20;
constexpr int64_t kMostTogether = 16;
// What makes up for the trial and another plan, which cost a small convolutional network as much as
// running 60 to 100 samples together saves.
constexpr int64_t kLeastTogether = 4;
constexpr int64_t kLeastRuns = 8;
// Samples of the trial that are run one by one.
constexpr int64_t kTried = 4;
static_assert(kTried <= kLeastTogether);

bool first_axis_is_open(const ir::Value& value) {
  const ir::Type& type = value.type;
  if (type.known() && !type.is_tensor()) return false;
  return !type.shape || (!type.shape->empty() && !type.shape->front().known());
}

// Operators that, their other operands being constant, compute every index of axis 0 from the same
// index of operand 0 and keep its rank, whatever their attributes.
constexpr std::array<std::string_view, 40> kApart{
    "Abs", "AveragePool", "Ceil", "Celu", "Clip", "Conv", "ConvTranspose", "DequantizeLinear",
    "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "GlobalAveragePool", "GlobalMaxPool",
    "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LRN", "LeakyRelu", "Log",
    "MatMul", "MaxPool", "Mish", "Neg", "PRelu", "QuantizeLinear", "Reciprocal", "Relu", "Round",
    "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh"};
// The same for several operands of one rank.
constexpr std::array<std::string_view, 7> kPairing{"Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"};

bool is_fixed(const ir::Value* v) {
  return v == nullptr || v->is_constant() ||
         (v->producer() != nullptr && v->producer()->is("Constant"));
}

// True when the node has axes, as attribute or constant operand, and they are later ones, counted
// from the front.
bool has_later_axes(const ir::Node& node) {
  std::vector<int64_t> axes = node.attr_ints("axes");
  const ir::Value* given = node.input(1);
  if (given != nullptr && given->is_constant()) axes = ir::elements_as_ints(*given->constant());
  return !axes.empty() && std::all_of(axes.begin(), axes.end(), [](int64_t a) { return a > 0; });
}

// True when the node keeps samples apart if all its operands that are not fixed have one rank and
// the samples along axis 0.
bool keeps_apart(const ir::Node& node) {
  const auto is_in = [&](const auto& names) {
    return std::find(names.begin(), names.end(), node.op_type) != names.end();
  };
  if (is_in(kPairing)) return true;
  if (node.is("Concat")) return node.attr_int("axis", 0) > 0;
  if (!std::all_of(node.inputs().begin() + 1, node.inputs().end(), is_fixed)) return false;
  if (is_in(kApart)) return true;
  if (node.is("BatchNormalization")) return node.attr_int("training_mode", 0) == 0;
  if (node.is("Flatten")) return node.attr_int("axis", 1) == 1;
  if (node.is("Gemm")) return node.attr_int("transA", 0) == 0;
  if (node.is("Softmax") || node.is("LogSoftmax")) return node.attr_int("axis", 0) > 0;
  if (node.is("Transpose")) {
    const std::vector<int64_t> perm = node.attr_ints("perm");
    return !perm.empty() && perm[0] == 0;
  }
  return node.op_type.starts_with("Reduce") && node.attr_int("keepdims", 1) == 1 &&
         has_later_axes(node);
}

// True when every node is known to keep samples apart. (Data may look independent for long: a trial
// alone shows nothing.) Ranks are followed through the graph: operands of different ranks would
// broadcast samples along another axis.
bool keeps_apart(const ir::Graph& graph) {
  std::unordered_map<const ir::Value*, size_t> ranks;
  for (const ir::Value* input : graph.inputs()) {
    if (input->type.shape) ranks.emplace(input, input->type.shape->size());
  }
  for (const ir::Node& node : graph.nodes()) {
    if (!node.is_default_domain() || !node.subgraphs().empty()) return false;
    if (node.is("Constant")) continue;
    std::optional<size_t> rank;
    for (const ir::Value* v : node.inputs()) {
      if (is_fixed(v)) continue;
      const auto found = ranks.find(v);
      if (found == ranks.end() || (rank && *rank != found->second)) return false;
      rank = found->second;
    }
    const auto higher = [&](const ir::Value* v) {
      return v != nullptr && v->is_constant() && v->constant()->rank() > *rank;
    };
    if (!rank || !keeps_apart(node)) return false;
    if (std::any_of(node.inputs().begin(), node.inputs().end(), higher)) return false;
    for (const ir::Value* v : node.outputs()) {
      if (v != nullptr) ranks.emplace(v, node.is("Flatten") ? 2 : *rank);
    }
  }
  return true;
}

bool allows_batches(const ir::Model& model, const Dataset& data) {
  if (data.batch() != 1 || !data.batched()) return false;
  for (const ir::Value* input : model.graph->inputs()) {
    if (!input->has_initializer() && !first_axis_is_open(*input)) return false;
  }
  for (const ir::Value* output : model.graph->outputs()) {
    if (!first_axis_is_open(*output)) return false;
  }
  return keeps_apart(*model.graph);
}

// Numbers with rows that can be copied.
bool has_rows(const ops::RuntimeValue& value, int64_t rows) {
  if (!value.is_tensor() || value.tensor.rank() == 0 || value.tensor.dim(0) != rows) return false;
  return value.tensor.type() != ir::DataType::kString && !ir::is_sub_byte(value.tensor.type());
}

// Nothing when the values do not fit together.
std::optional<ir::Tensor> stack(const std::vector<interp::Feeds>& samples,
                                const std::string& input) {
  const ir::Tensor& first = samples.front().at(input).tensor;
  ir::Dims dims = first.dims();
  if (!has_rows(samples.front().at(input), 1)) return std::nullopt;
  dims[0] = static_cast<int64_t>(samples.size());
  ir::Tensor stacked(first.type(), std::move(dims));
  std::byte* at = stacked.mutable_bytes();
  for (const interp::Feeds& sample : samples) {
    const ir::Tensor& tensor = sample.at(input).tensor;
    if (tensor.type() != first.type() || tensor.dims() != first.dims()) return std::nullopt;
    if (tensor.byte_size() == 0) continue;
    std::memcpy(at, tensor.bytes(), tensor.byte_size());
    at += tensor.byte_size();
  }
  return stacked;
}

std::optional<interp::Feeds> read_together(Dataset& data, int64_t first, int64_t count) {
  std::vector<interp::Feeds> samples;
  for (int64_t i = 0; i < count; ++i) samples.push_back(data.read(first + i));
  interp::Feeds feeds;
  for (const auto& [input, value] : samples.front()) {
    std::optional<ir::Tensor> stacked = stack(samples, input);
    if (!stacked) return std::nullopt;
    feeds.emplace(input, std::move(*stacked));
  }
  return feeds;
}

Outputs rows_of(const Outputs& outputs, int64_t row) {
  Outputs rows;
  for (const ops::RuntimeValue& output : outputs) rows.push_back(output.tensor.slice_front(row, 1));
  return rows;
}

int64_t samples_per_run(const interp::Trace& trace) {
  int64_t bytes = 1;
  for (const interp::StepRecord& step : trace.steps) bytes += step.bytes;
  return std::clamp<int64_t>(kMostBytes / bytes, 1, kMostTogether);
}

class SampleRunner {
 public:
  SampleRunner(interp::Executor& executor, Dataset& data, int64_t total, const SampleSinks& sinks)
      : executor_(executor), data_(data), total_(total), sinks_(sinks) {}

  void run(bool together) {
    if (together) try_together();
    while (done_ < total_) {
      if (per_run_ > 1) {
        run_next_together();
      } else {
        run_next();
      }
    }
    keep_observed();
  }

 private:
  // The samples [done_, done_ + batch).
  Outputs run_next(interp::Trace* trace = nullptr) {
    const interp::Feeds feeds = data_.read(done_);
    Outputs outputs = trace != nullptr ? executor_.run(feeds, *trace) : executor_.run(feeds);
    if (sinks_.on_outputs) sinks_.on_outputs(done_, outputs);
    advance(data_.batch());
    return outputs;
  }

  // Nothing when the model does not take these samples together: what was observed is then void.
  std::optional<Outputs> run_together(int64_t first, int64_t count) {
    const auto feeds = read_together(data_, first, count);
    if (!feeds) return std::nullopt;
    try {
      Outputs outputs = executor_.run(*feeds);
      const auto fits = [count](const ops::RuntimeValue& value) { return has_rows(value, count); };
      if (std::all_of(outputs.begin(), outputs.end(), fits)) return outputs;
    } catch (const Error&) {  // one that a single sample causes shows again when it is run alone
    }
    return std::nullopt;
  }

  void run_next_together() {
    keep_observed();
    if (const auto outputs = run_together(done_, per_run_)) {
      hand_on(*outputs, done_, done_);
      return advance(per_run_);
    }
    if (sinks_.observed != nullptr) sinks_.observed->clear();
    run_singly_from_here();
  }

  void run_singly_from_here() {
    per_run_ = 1;
    executor_.plan_for_next_shapes();
  }

  // Runs the samples that fill no run of several, which come first because the plan for one sample
  // is there already, then some more both ways. Leaves per_run_ as it shall be for the rest.
  void try_together() {
    interp::Trace trace;
    std::vector<Outputs> singles{run_next(&trace)};
    const int64_t count = samples_per_run(trace);
    if (count < kLeastTogether || total_ < kLeastRuns * count) return;
    const int64_t first = total_ % count, tried = first + kTried;
    while (done_ < tried) {
      if (done_ == first) keep_observed();
      if (done_ <= first) singles.clear();
      singles.push_back(run_next());
    }
    Ranges of_singles;
    if (sinks_.observed != nullptr) of_singles.swap(*sinks_.observed);
    executor_.plan_for_next_shapes();
    const auto outputs = run_together(first, count);
    if (!outputs || !same(singles, *outputs) || !agree(of_singles, tried - first, count)) {
      if (sinks_.observed != nullptr) of_singles.swap(*sinks_.observed);
      return run_singly_from_here();
    }
    per_run_ = count;  // what was observed of the samples tried is void: it is in this run too
    hand_on(*outputs, first, done_);
    advance(first + count - done_);
  }

  static bool same(const std::vector<Outputs>& singles, const Outputs& together) {
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

  bool agree(const Ranges& of_singles, int64_t singles, int64_t together) const {
    return sinks_.observed == nullptr ||
           ranges_agree(of_singles, singles, *sinks_.observed, together);
  }

  // Samples [from, ...) of a run that began with sample `first`.
  void hand_on(const Outputs& outputs, int64_t first, int64_t from) const {
    if (!sinks_.on_outputs || outputs.empty()) return;
    const int64_t count = outputs.front().tensor.dim(0);
    for (int64_t row = from - first; row < count; ++row) {
      sinks_.on_outputs(first + row, rows_of(outputs, row));
    }
  }

  void keep_observed() {
    if (sinks_.observed == nullptr) return;
    for (const auto& [name, range] : *sinks_.observed) merge_range((*sinks_.ranges)[name], range);
    sinks_.observed->clear();
  }

  void advance(int64_t count) {
    done_ += count;
    if (sinks_.progress) sinks_.progress(done_, total_);
  }

  interp::Executor& executor_;
  Dataset& data_;
  const int64_t total_;
  const SampleSinks& sinks_;
  int64_t done_ = 0;
  int64_t per_run_ = 1;  // samples of a run beyond the data's own batch
};

}  // namespace

void run_samples(const ir::Model& model, interp::Executor& executor, Dataset& data, int64_t total,
                 const SampleSinks& sinks, bool may_batch) {
  FETTLE_ASSERT(total % data.batch() == 0 && total <= data.size());
  const bool together =
      may_batch && total >= kLeastRuns * kLeastTogether && allows_batches(model, data);
  SampleRunner(executor, data, total, sinks).run(together);
}

}  // namespace fettle::calib
