#include "calib/batching.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace fettle::calib {
namespace {

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

// One input of all samples.
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

}  // namespace

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

bool has_rows(const ops::RuntimeValue& value, int64_t rows) {
  if (!value.is_tensor() || value.tensor.rank() == 0 || value.tensor.dim(0) != rows) return false;
  return value.tensor.type() != ir::DataType::kString && !ir::is_sub_byte(value.tensor.type());
}

std::optional<interp::Feeds> stack(const std::vector<interp::Feeds>& samples) {
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

}  // namespace fettle::calib
