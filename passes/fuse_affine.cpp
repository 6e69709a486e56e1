// Folds a per-channel Mul or Add with a constant into the linear operator before it.
//
//   x -> Conv(W, b) -> Mul(k) -> y     W' = k W, b' = k b        k: a number, or one per channel
//   x -> Conv(W, b) -> Add(k) -> y     b' = b + k
//
// Also Sub and Div with the constant second; for Conv, ConvTranspose, Gemm, and (scale only) MatMul.
//
// Conditions: as for fuse_batch_norm. The constant must have extent 1 or the channel count on the
// channel axis and 1 elsewhere, and no more axes than the output, so that nothing is broadcast up.
// Traps: the same constant shape means different axes behind Conv (axis 1) and Gemm (last axis);
// Add(x, x) reads the output twice; integer arithmetic is left alone (weights are floating).
#include <cmath>

#include "passes/linear_weights.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

struct Row {
  std::string_view op;
  bool scales;       // else shifts
  bool inverse;      // Div, Sub
  bool commutative;  // the constant may come first
};
constexpr Row kRows[] = {
    {"Mul", true, false, true},
    {"Div", true, true, false},
    {"Add", false, false, true},
    {"Sub", false, true, false},
};

const Row* row_of(const ir::Node& node) {
  for (const Row& row : kRows) {
    if (node.is(row.op)) return &row;
  }
  return nullptr;
}

// Rank of the linear node's output when it is known.
std::optional<size_t> output_rank(const LinearNode& linear) {
  if (!linear.channel_is_last) return linear.weight->rank();
  if (linear.node->is("Gemm")) return 2;
  const ir::Shape* shape = shape_of(linear.node->input(0));
  if (shape == nullptr || shape->empty()) return std::nullopt;
  return shape->size();
}

// The constant as one number per channel.
std::optional<std::vector<double>> per_channel(const LinearNode& linear, const ir::Tensor& constant) {
  const auto rank = output_rank(linear);
  if (!rank || constant.rank() > *rank || constant.type() != linear.weight->type()) {
    return std::nullopt;
  }
  const size_t axis = linear.channel_is_last ? *rank - 1 : 1;
  const size_t missing = *rank - constant.rank();
  for (size_t i = 0; i < constant.rank(); ++i) {
    const bool fits = i + missing == axis
                          ? constant.dim(i) == 1 || constant.dim(i) == linear.channels
                          : constant.dim(i) == 1;
    if (!fits) return std::nullopt;
  }
  std::vector<double> values = doubles_of(constant);
  if (values.size() == 1) values.assign(static_cast<size_t>(linear.channels), values[0]);
  return values;
}

Affine affine_of(const Row& row, std::vector<double> values) {
  Affine affine;
  const size_t channels = values.size();
  for (double& v : values) v = !row.inverse ? v : row.scales ? 1.0 / v : -v;
  (row.scales ? affine.scale : affine.shift) = std::move(values);
  if (row.scales) affine.shift.assign(channels, 0.0);
  return affine;
}

int64_t fuse(PassContext& context, ir::Node& node) {
  const Row* row = row_of(node);
  if (row == nullptr || node.inputs().size() != 2) return 0;
  if (context.opset(node) < 7) return 0;  // broadcasting went by attributes
  const size_t side = context.constant(node.input(1)) != nullptr ? 1 : 0;
  const ir::Tensor* constant = context.constant(node.input(side));
  ir::Value* data = node.input(1 - side);
  if (constant == nullptr || data == nullptr || (side == 0 && !row->commutative)) return 0;
  ir::Node* producer = data->producer();
  if (producer == nullptr || !is_linear(*producer) || &producer->graph() != &node.graph()) return 0;
  const auto decline = [&](std::string reason) {
    context.decline(node, std::move(reason));
    return 0;
  };
  const ir::Value* weight = producer->input(1);
  if (weight == nullptr || !weight->has_initializer()) return 0;  // a product of two activations
  if (only_user(*data) != &node) return decline("the output before it is also used elsewhere");
  std::string reason;
  const auto linear = linear_node(context, *producer, reason);
  if (!linear) return decline(reason);
  if (!row->scales && !linear->takes_bias) return 0;  // MatMul and Add stay apart
  auto values = per_channel(*linear, *constant);
  if (!values) return decline("its constant is not one number per channel of the output before it");
  if (linear->channels == 0) return 0;
  reason = fold_affine(context, *linear, affine_of(*row, std::move(*values)));
  if (!reason.empty()) return decline(reason);
  return absorb(*data, node) ? 1 : 0;
}

}  // namespace

int64_t fuse_affine(PassContext& context) {
  return for_each_node(context.model, [&](ir::Node& node) { return fuse(context, node); });
}

}  // namespace fettle::passes
