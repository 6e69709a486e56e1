// Folds an inference BatchNormalization into the linear operator before it.
//
//   x -> Conv(W, b) -> BatchNormalization(gamma, beta, mean, var) -> y
//   x -> Conv(W', b') -> y
//
//   s = gamma / sqrt(var + epsilon),  W' = s W,  b' = s (b - mean) + beta   per output channel
//
// Also for ConvTranspose, whose weights are [C, M/group, ...], Gemm (any transB, alpha and beta),
// and MatMul of a matrix, which becomes Gemm. Computed in double and rounded once.
//
// Conditions: the normalization is in inference form (no training_mode; is_test before opset 7;
// spatial before opset 9; no statistics output in use), all its parameters are constant and have
// one number per output channel; the linear output has no other reader and is no graph output; the
// weights are constant and have no other reader.
// Traps: channels are axis 1, which is Gemm's last axis but not MatMul's in general; a variance that
// makes s infinite or NaN declines; weights are replaced, never changed in place.
#include <cmath>

#include "passes/linear_weights.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

bool in_inference_form(const PassContext& context, const ir::Node& norm) {
  for (size_t i = 1; i < norm.outputs().size(); ++i) {
    const ir::Value* v = norm.output(i);
    if (v != nullptr && (!v->uses().empty() || v->is_graph_output())) return false;
  }
  const int64_t opset = context.opset(norm);
  if (opset < 7 && norm.attr_int("is_test", 0) == 0) return false;
  if (opset < 9 && norm.attr_int("spatial", 1) == 0) return false;
  return norm.attr_int("training_mode", 0) == 0;
}

std::optional<Affine> affine_of(const PassContext& context, const ir::Node& norm, int64_t channels) {
  const ir::Tensor* parameters[4];
  for (size_t i = 0; i < 4; ++i) {
    parameters[i] = context.constant(norm.input(i + 1));
    if (parameters[i] == nullptr || parameters[i]->dims() != ir::Dims{channels} ||
        !ir::is_floating(parameters[i]->type())) {
      return std::nullopt;
    }
  }
  const double epsilon = norm.attr_float("epsilon", 1e-5f);
  Affine affine;
  for (int64_t c = 0; c < channels; ++c) {
    const double gamma = ir::element_as_double(*parameters[0], c);
    const double beta = ir::element_as_double(*parameters[1], c);
    const double mean = ir::element_as_double(*parameters[2], c);
    const double variance = ir::element_as_double(*parameters[3], c);
    affine.scale.push_back(gamma / std::sqrt(variance + epsilon));
    affine.shift.push_back(beta - mean * affine.scale.back());
  }
  return affine;
}

// MatMul has no bias: with two matrices it is Gemm, and axis 1 is then its last.
bool takes_channels_of_axis_1(LinearNode& linear) {
  if (!linear.channel_is_last || linear.node->is("Gemm")) return true;
  const ir::Shape* shape = shape_of(linear.node->input(0));
  return shape != nullptr && shape->size() == 2;
}

void make_gemm(ir::Node& matmul) {
  matmul.op_type = "Gemm";
  matmul.carry.clear();
}

int64_t fuse(PassContext& context, ir::Node& norm) {
  if (!norm.is("BatchNormalization") || norm.input(0) == nullptr || norm.output(0) == nullptr) {
    return 0;
  }
  ir::Node* producer = norm.input(0)->producer();
  if (producer == nullptr || !is_linear(*producer) || &producer->graph() != &norm.graph()) return 0;
  const auto decline = [&](std::string reason) {
    context.decline(norm, std::move(reason));
    return 0;
  };
  if (only_user(*norm.input(0)) != &norm) {
    return decline("the output before it is also used elsewhere");
  }
  if (!in_inference_form(context, norm)) return decline("it is in training form");
  std::string reason;
  auto linear = linear_node(context, *producer, reason);
  if (!linear) return decline(reason);
  if (!takes_channels_of_axis_1(*linear)) {
    return decline("the MatMul before it is not known to give a matrix");
  }
  const auto affine = affine_of(context, norm, linear->channels);
  if (!affine) return decline("its parameters are not constants of one number per channel");
  reason = fold_affine(context, *linear, *affine);
  if (!reason.empty()) return decline(reason);
  if (producer->is("MatMul") && producer->input(2) != nullptr) make_gemm(*producer);
  return absorb(*producer->output(0), norm) ? 1 : 0;
}

}  // namespace

int64_t fuse_batch_norm(PassContext& context) {
  return for_each_node(context.model, [&](ir::Node& node) { return fuse(context, node); });
}

}  // namespace fettle::passes
