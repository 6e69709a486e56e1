// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
#include <algorithm>
#include <cmath>
#include <optional>

#include "ops/families.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

enum class LossReduction { kNone, kSum, kMean };

LossReduction reduction_of(const ir::Node& node) {
  const std::string name = node.attr_string("reduction", "mean");
  if (name == "none") return LossReduction::kNone;
  if (name == "sum") return LossReduction::kSum;
  if (name == "mean") return LossReduction::kMean;
  fail(ErrorCode::kBadInput, "attribute 'reduction': expected none, sum or mean, found '{}'", name);
}

// Scores [N, C, D] (all axes after the second joined), checked against labels and weights.
struct Problem {
  int64_t samples = 0;
  int64_t classes = 0;
  int64_t inner = 1;
  std::optional<int64_t> ignored;

  explicit Problem(KernelContext& context) {
    const ir::Tensor& scores = context.input(0);
    const ir::Tensor& labels = context.input(1);
    ir::Dims expected = scores.dims();
    if (expected.size() >= 2) expected.erase(expected.begin() + 1);
    if (scores.rank() < 2 || labels.dims() != expected || !is_real(scores.type())) {
      fail(ErrorCode::kBadInput,
           "expected floating-point scores [N, C, d1, ...] and labels [N, d1, ...]; found {} {} "
           "and {}",
           ir::data_type_name(scores.type()), ir::to_string(scores.dims()),
           ir::to_string(labels.dims()));
    }
    if (labels.type() != ir::DataType::kInt32 && labels.type() != ir::DataType::kInt64) {
      fail(ErrorCode::kBadInput, "expected int32 or int64 labels, found {}",
           ir::data_type_name(labels.type()));
    }
    samples = scores.dim(0);
    classes = scores.dim(1);
    for (size_t i = 2; i < scores.rank(); ++i) inner *= scores.dim(i);
    if (const ir::Tensor* w = context.optional(2)) {
      if (w->dims() != ir::Dims{classes} || w->type() != scores.type()) {
        fail(ErrorCode::kBadInput, "expected weights [{}] of the scores' type, found {} {}",
             classes, ir::data_type_name(w->type()), ir::to_string(w->dims()));
      }
    }
    if (context.node().has_attribute("ignore_index")) {
      ignored = context.node().attr_int("ignore_index", 0);
    }
  }
};

// Output 0 from the log-probabilities of `p`.
void emit_loss(KernelContext& context, const Problem& p, const double* log_probabilities) {
  const LossReduction reduction = reduction_of(context.node());
  const ir::Tensor& labels = context.input(1);
  const ir::Tensor* given = context.optional(2);
  const ir::Tensor weights = given != nullptr ? as_doubles(*given) : ir::Tensor();
  const bool each = reduction == LossReduction::kNone;
  ir::Tensor& out = context.output(0, context.input(0).type(), each ? labels.dims() : ir::Dims{});
  double total = 0;
  double total_weight = 0;
  for (int64_t i = 0; i < labels.size(); ++i) {
    const int64_t label = ir::element_as_int(labels, i);
    double loss = 0;
    if (!(p.ignored && label == *p.ignored)) {
      if (label < 0 || label >= p.classes) {
        fail(ErrorCode::kBadInput, "label {} is not in [0, {})", label, p.classes);
      }
      const double weight =
          given != nullptr ? weights.data<double>()[static_cast<size_t>(label)] : 1.0;
      const int64_t n = i / p.inner;
      loss = -log_probabilities[(n * p.classes + label) * p.inner + i % p.inner] * weight;
      total_weight += weight;
    }
    total += loss;
    if (each) store_double(loss, out, i);
  }
  if (each) return;
  store_double(reduction == LossReduction::kMean ? total / total_weight : total, out, 0);
}

void negative_log_likelihood(KernelContext& context) {
  const Problem p(context);
  const ir::Tensor values = as_doubles(context.input(0));
  emit_loss(context, p, values.data<double>().data());
}

// x - max - log(sum(exp(x - max))) along axis 1 of [N, C, D], in place.
void log_softmax(const Problem& p, double* x) {
  for (int64_t n = 0; n < p.samples; ++n) {
    for (int64_t d = 0; d < p.inner; ++d) {
      double* column = x + n * p.classes * p.inner + d;
      double highest = -INFINITY;
      for (int64_t c = 0; c < p.classes; ++c) highest = std::max(highest, column[c * p.inner]);
      double sum = 0;
      for (int64_t c = 0; c < p.classes; ++c) sum += std::exp(column[c * p.inner] - highest);
      const double log_sum = std::log(sum);
      for (int64_t c = 0; c < p.classes; ++c) {
        column[c * p.inner] = column[c * p.inner] - highest - log_sum;
      }
    }
  }
}

void softmax_cross_entropy(KernelContext& context) {
  const Problem p(context);
  ir::Tensor values = as_doubles(context.input(0));
  double* logs = values.mutable_data<double>().data();
  log_softmax(p, logs);
  emit_loss(context, p, logs);
  if (!context.wants(1)) return;
  ir::Tensor& out = context.output(1, context.input(0).type(), context.input(0).dims());
  store_doubles(logs, out.size(), out, 0);
}

void infer_loss(InferContext& context) {
  const ir::Shape* scores = context.shape(0);
  const ir::Shape* labels = context.shape(1);
  if (scores != nullptr && scores->size() < 2) {
    fail(ErrorCode::kBadInput, "expected scores [N, C, ...], found {}", ir::to_string(*scores));
  }
  if (scores != nullptr && labels != nullptr && labels->size() + 1 != scores->size()) {
    fail(ErrorCode::kBadInput, "labels {} do not fit scores {}", ir::to_string(*labels),
         ir::to_string(*scores));
  }
  if (context.output_count() > 1) context.set_same(1, 0);
  if (reduction_of(context.node()) != LossReduction::kNone) {
    return context.set(0, context.element(0), ir::Shape{});
  }
  if (scores == nullptr) {
    return context.set(0, context.element(0),
                       labels != nullptr ? std::optional(*labels) : std::nullopt);
  }
  ir::Shape out = *scores;
  out.erase(out.begin() + 1);
  for (size_t i = 0; labels != nullptr && i < out.size(); ++i) {
    if (!out[i].known() && ((*labels)[i].known() || !out[i].symbolic())) out[i] = (*labels)[i];
  }
  context.set(0, context.element(0), std::move(out));
}

constexpr OpDef kOps[] = {
    {"", "NegativeLogLikelihoodLoss", 12, infer_loss, negative_log_likelihood},
    {"", "SoftmaxCrossEntropyLoss", 12, infer_loss, softmax_cross_entropy},
};

}  // namespace

std::span<const OpDef> loss_ops() {
  return kOps;
}

}  // namespace fettle::ops
