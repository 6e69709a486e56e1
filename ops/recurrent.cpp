#include "ops/recurrent.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string>
#include <string_view>

#include "ir/error.h"
#include "ops/checked.h"

namespace fettle::ops {
namespace {

struct ActivationRow {
  std::string_view name;  // lower case: names are not case sensitive
  ActivationKind kind;
  bool has_alpha;
  bool has_beta;
  double alpha;  // defaults
  double beta;
};

// Names and defaults of the functions that RNN, GRU and LSTM may use.
constexpr std::array<ActivationRow, 11> kActivations = {{
    {"relu", ActivationKind::kRelu, false, false, 0, 0},
    {"tanh", ActivationKind::kTanh, false, false, 0, 0},
    {"sigmoid", ActivationKind::kSigmoid, false, false, 0, 0},
    {"affine", ActivationKind::kAffine, true, true, 1, 0},
    {"leakyrelu", ActivationKind::kLeakyRelu, true, false, 0.01, 0},
    {"thresholdedrelu", ActivationKind::kThresholdedRelu, true, false, 1, 0},
    {"scaledtanh", ActivationKind::kScaledTanh, true, true, 1, 1},
    {"hardsigmoid", ActivationKind::kHardSigmoid, true, true, 0.2, 0.5},
    {"elu", ActivationKind::kElu, true, false, 1, 0},
    {"softsign", ActivationKind::kSoftsign, false, false, 0, 0},
    {"softplus", ActivationKind::kSoftplus, false, false, 0, 0},
}};

struct CellRow {
  std::string_view op;
  int64_t gates;
  std::array<std::string_view, 3> activations;  // defaults; empty: fewer
};

constexpr std::array<CellRow, 4> kCells = {{
    {"LSTM", 4, {"sigmoid", "tanh", "tanh"}},
    {"DynamicQuantizeLSTM", 4, {"sigmoid", "tanh", "tanh"}},
    {"GRU", 3, {"sigmoid", "tanh", ""}},
    {"RNN", 1, {"tanh", "", ""}},
}};

const CellRow& cell_of(const ir::Node& node) {
  const auto row = std::find_if(kCells.begin(), kCells.end(),
                                [&](const CellRow& r) { return r.op == node.op_type; });
  FETTLE_ASSERT(row != kCells.end());
  return *row;
}

const ActivationRow& activation_row(const std::string& name) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const ActivationRow& row : kActivations) {
    if (row.name == lower) return row;
  }
  fail(ErrorCode::kBadInput, "attribute activations: '{}' is not a known function", name);
}

// The functions per direction. activation_alpha and activation_beta are consumed in order by the
// functions that have such a parameter.
std::vector<std::vector<RecurrentActivation>> activations_of(const ir::Node& node,
                                                             const CellRow& cell,
                                                             int64_t directions) {
  std::vector<std::string> defaults;
  for (const std::string_view name : cell.activations) {
    if (!name.empty()) defaults.emplace_back(name);
  }
  const size_t each = defaults.size();
  std::vector<std::string> names = node.attr_strings("activations");
  if (names.empty()) {
    for (int64_t d = 0; d < directions; ++d) {
      names.insert(names.end(), defaults.begin(), defaults.end());
    }
  }
  if (names.size() != each * static_cast<size_t>(directions)) {
    fail(ErrorCode::kBadInput,
         "attribute activations: expected {} functions for {} direction(s), "
         "found {}",
         each * static_cast<size_t>(directions), directions, names.size());
  }
  const std::vector<float> alphas = node.attr_floats("activation_alpha");
  const std::vector<float> betas = node.attr_floats("activation_beta");
  size_t alpha = 0;
  size_t beta = 0;
  std::vector<std::vector<RecurrentActivation>> out(static_cast<size_t>(directions));
  for (size_t i = 0; i < names.size(); ++i) {
    const ActivationRow& row = activation_row(names[i]);
    RecurrentActivation f{row.kind, row.alpha, row.beta};
    if (row.has_alpha && alpha < alphas.size()) f.alpha = alphas[alpha++];
    if (row.has_beta && beta < betas.size()) f.beta = betas[beta++];
    out[i / each].push_back(f);
  }
  return out;
}

void check_dims(const ir::Tensor& tensor, const ir::Dims& expected, ir::DataType type,
                std::string_view name) {
  if (tensor.dims() == expected && tensor.type() == type) return;
  fail(ErrorCode::kBadInput, "{}: expected {} {}, found {} {}", name, ir::data_type_name(type),
       ir::to_string(expected), ir::data_type_name(tensor.type()), ir::to_string(tensor.dims()));
}

void check_sequence_lengths(const ir::Tensor& lengths, const RecurrentDims& dims) {
  check_dims(lengths, {dims.batch}, ir::DataType::kInt32, "sequence_lens");
  for (const int32_t length : lengths.data<int32_t>()) {
    if (length < 0 || length > dims.steps) {
      fail(ErrorCode::kBadInput, "sequence_lens: {} is not in [0, {}]", length, dims.steps);
    }
  }
}

}  // namespace

double RecurrentActivation::operator()(double x) const {
  switch (kind) {
    case ActivationKind::kRelu:
      return x > 0 ? x : 0;
    case ActivationKind::kTanh:
      return std::tanh(x);
    case ActivationKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::kAffine:
      return alpha * x + beta;
    case ActivationKind::kLeakyRelu:
      return x >= 0 ? x : alpha * x;
    case ActivationKind::kThresholdedRelu:
      return x >= alpha ? x : 0;
    case ActivationKind::kScaledTanh:
      return alpha * std::tanh(beta * x);
    case ActivationKind::kHardSigmoid:
      return std::clamp(alpha * x + beta, 0.0, 1.0);
    case ActivationKind::kElu:
      return x >= 0 ? x : alpha * std::expm1(x);
    case ActivationKind::kSoftsign:
      return x / (1 + std::fabs(x));
    case ActivationKind::kSoftplus:
      return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  }
  return x;
}

RecurrentSpec recurrent_spec(const ir::Node& node) {
  const CellRow& cell = cell_of(node);
  RecurrentSpec spec;
  spec.gates = cell.gates;
  const std::string direction = node.attr_string("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    fail(ErrorCode::kBadInput,
         "attribute direction: expected forward, reverse or bidirectional, found '{}'", direction);
  }
  spec.directions = direction == "bidirectional" ? 2 : 1;
  spec.reverse = direction == "reverse";
  spec.batch_first = node.attr_int("layout", 0) != 0;
  spec.linear_before_reset = node.attr_int("linear_before_reset", 0) != 0;
  spec.input_forget = node.attr_int("input_forget", 0) != 0;
  spec.clip = node.attr_float("clip", 0.0f);
  if (!(spec.clip >= 0)) {
    fail(ErrorCode::kBadInput, "attribute clip: expected >= 0, found {}", spec.clip);
  }
  spec.activations = activations_of(node, cell, spec.directions);
  return spec;
}

RecurrentDims recurrent_dims(const RecurrentSpec& spec, const KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& r = context.input(2);
  if (x.rank() != 3 || r.rank() != 3) {
    fail(ErrorCode::kBadInput, "expected X and R of rank 3, found shapes {} and {}",
         ir::to_string(x.dims()), ir::to_string(r.dims()));
  }
  RecurrentDims dims;
  dims.steps = x.dim(spec.batch_first ? 1 : 0);
  dims.batch = x.dim(spec.batch_first ? 0 : 1);
  dims.input = x.dim(2);
  dims.hidden = context.node().attr_int("hidden_size", r.dim(2));
  if (dims.hidden < 1) {
    fail(ErrorCode::kBadInput, "attribute hidden_size: expected >= 1, found {}", dims.hidden);
  }
  const int64_t rows = checked_mul(spec.gates, dims.hidden);
  check_dims(context.input(1), {spec.directions, rows, dims.input}, x.type(), "W");
  check_dims(r, {spec.directions, rows, dims.hidden}, x.type(), "R");
  if (const ir::Tensor* b = context.optional(3)) {
    check_dims(*b, {spec.directions, checked_mul(2, rows)}, x.type(), "B");
  }
  if (const ir::Tensor* lengths = context.optional(4)) check_sequence_lengths(*lengths, dims);
  const ir::Dims state = recurrent_state_dims(spec, dims);
  if (const ir::Tensor* h = context.optional(5)) check_dims(*h, state, x.type(), "initial_h");
  if (const ir::Tensor* c = context.optional(6)) check_dims(*c, state, x.type(), "initial_c");
  if (const ir::Tensor* p = context.optional(7)) {
    check_dims(*p, {spec.directions, checked_mul(3, dims.hidden)}, x.type(), "P");
  }
  return dims;
}

ir::Dims recurrent_output_dims(const RecurrentSpec& spec, const RecurrentDims& d) {
  if (spec.batch_first) return {d.batch, d.steps, spec.directions, d.hidden};
  return {d.steps, spec.directions, d.batch, d.hidden};
}

ir::Dims recurrent_state_dims(const RecurrentSpec& spec, const RecurrentDims& d) {
  if (spec.batch_first) return {d.batch, spec.directions, d.hidden};
  return {spec.directions, d.batch, d.hidden};
}

}  // namespace fettle::ops
