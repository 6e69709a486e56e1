#include "interp/channel_fold.h"

#include <array>
#include <cmath>
#include <string_view>

namespace fettle::interp {
namespace {

// One step of the chain in double: y = x * scale[c] + shift[c].
struct Affine {
  std::vector<double> scale;
  std::vector<double> shift;
};

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// A constant operand as one number per channel; nothing when it is no such thing.
std::optional<std::vector<double>> per_channel(const ir::Tensor* t, int64_t channels, size_t rank) {
  if (t == nullptr || t->type() != kFloat || t->rank() > rank) return std::nullopt;
  const auto values = t->data<float>();
  if (t->size() == 1) {
    return std::vector<double>(static_cast<size_t>(channels), static_cast<double>(values[0]));
  }
  // Aligned at the end, only the channel axis may be longer than 1.
  if (t->rank() + 1 < rank || t->size() != channels) return std::nullopt;
  if (t->dim(t->rank() + 1 - rank) != channels) return std::nullopt;
  return std::vector<double>(values.begin(), values.end());
}

std::optional<Affine> normalization(const ir::Node& node, const ir::Value*, int64_t channels,
                                    size_t, const FusionView& view) {
  if (node.outputs().size() > 1 || node.attr_int("training_mode", 0) != 0 ||
      node.attr_int("spatial", 1) == 0 || view.opset(node) < 7) {
    return std::nullopt;
  }
  std::array<const float*, 4> p{};  // scale, bias, mean, variance
  for (size_t i = 0; i < p.size(); ++i) {
    const ir::Tensor* t = view.constant(node.input(i + 1));
    if (t == nullptr || t->type() != kFloat || t->size() != channels) return std::nullopt;
    p[i] = t->data<float>().data();
  }
  const double epsilon = node.attr_float("epsilon", 1e-5f);
  Affine a;
  for (int64_t c = 0; c < channels; ++c) {
    const double scale = p[0][c] / std::sqrt(static_cast<double>(p[3][c]) + epsilon);
    a.scale.push_back(scale);
    a.shift.push_back(p[1][c] - p[2][c] * scale);
  }
  return a;
}

// The constant operand of a binary node whose other operand is `x`; null when there is none.
const ir::Tensor* other(const ir::Node& node, const ir::Value* x, const FusionView& view) {
  if (view.opset(node) < 7 || node.inputs().size() != 2 || node.input(0) == node.input(1)) {
    return nullptr;
  }
  return view.constant(node.input(0) == x ? node.input(1) : node.input(0));
}

std::optional<Affine> times(const ir::Node& node, const ir::Value* x, int64_t channels, size_t rank,
                            const FusionView& view) {
  auto values = per_channel(other(node, x, view), channels, rank);
  if (!values) return std::nullopt;
  return Affine{std::move(*values), std::vector<double>(static_cast<size_t>(channels), 0.0)};
}

std::optional<Affine> over(const ir::Node& node, const ir::Value* x, int64_t channels, size_t rank,
                           const FusionView& view) {
  if (node.input(0) != x) return std::nullopt;
  auto values = per_channel(other(node, x, view), channels, rank);
  if (!values) return std::nullopt;
  for (double& v : *values) v = 1.0 / v;
  return Affine{std::move(*values), std::vector<double>(static_cast<size_t>(channels), 0.0)};
}

std::optional<Affine> plus(const ir::Node& node, const ir::Value* x, int64_t channels, size_t rank,
                           const FusionView& view) {
  auto values = per_channel(other(node, x, view), channels, rank);
  if (!values) return std::nullopt;
  return Affine{std::vector<double>(static_cast<size_t>(channels), 1.0), std::move(*values)};
}

std::optional<Affine> minus(const ir::Node& node, const ir::Value* x, int64_t channels, size_t rank,
                            const FusionView& view) {
  auto affine = plus(node, x, channels, rank, view);
  if (!affine) return std::nullopt;
  if (node.input(0) == x) {
    for (double& v : affine->shift) v = -v;
  } else {
    for (double& v : affine->scale) v = -v;
  }
  return affine;
}

struct Row {
  std::string_view op;
  std::optional<Affine> (*as_affine)(const ir::Node&, const ir::Value* x, int64_t channels,
                                     size_t rank, const FusionView&);
};

constexpr std::array kRows{
    Row{"Add", plus},  Row{"BatchNormalization", normalization},
    Row{"Div", over},  Row{"Mul", times},
    Row{"Sub", minus},
};

std::optional<Affine> as_affine(const ir::Node& node, const ir::Value* x, int64_t channels,
                                size_t rank, const FusionView& view) {
  if (!node.is_default_domain()) return std::nullopt;
  for (const Row& row : kRows) {
    if (row.op == node.op_type) return row.as_affine(node, x, channels, rank, view);
  }
  return std::nullopt;
}

bool finite(const std::vector<double>& values) {
  for (const double v : values) {
    if (!std::isfinite(static_cast<float>(v))) return false;
  }
  return true;
}

}  // namespace

ChannelFold fold_channels(const ir::Value* value, int64_t channels, size_t rank,
                          const FusionView& view, std::vector<const ir::Node*>& members) {
  std::optional<Affine> whole;
  for (const ir::Node* node = view.sole_reader(value); node != nullptr && !view.taken(*node);
       node = view.sole_reader(value)) {
    const auto step = as_affine(*node, value, channels, rank, view);
    if (!step) break;
    Affine next = whole ? *whole : *step;
    for (size_t c = 0; whole && c < next.scale.size(); ++c) {
      next.scale[c] *= step->scale[c];
      next.shift[c] = next.shift[c] * step->scale[c] + step->shift[c];
    }
    if (!finite(next.scale) || !finite(next.shift)) break;
    whole = std::move(next);
    members.push_back(node);
    value = node->output(0);
  }
  if (!whole) return {};
  return {{whole->scale.begin(), whole->scale.end()}, {whole->shift.begin(), whole->shift.end()}};
}

ir::Tensor scaled_weights(const ir::Tensor& weights, int64_t group, bool transposed,
                          const std::vector<float>& scale) {
  ir::Tensor out(kFloat, weights.dims());
  const int64_t taps = weights.size() / (weights.dim(0) * weights.dim(1));
  const float* from = weights.data<float>().data();
  float* to = out.mutable_data<float>().data();
  const int64_t inputs = weights.dim(0) / group;  // per group, transposed
  for (int64_t row = 0; row < weights.dim(0) * weights.dim(1); ++row) {
    const int64_t first = row / weights.dim(1);
    const int64_t second = row % weights.dim(1);
    const int64_t channel = transposed ? first / inputs * weights.dim(1) + second : first;
    const float factor = scale[static_cast<size_t>(channel)];
    for (int64_t i = 0; i < taps; ++i) to[row * taps + i] = from[row * taps + i] * factor;
  }
  return out;
}

}  // namespace fettle::interp
