#include "ops/ml_linear.h"

#include "ops/checked.h"
#include "ops/ml_operands.h"
#include "ops/ml_scores.h"
#include "ops/real_elements.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

// scores = coefficients [targets, F] x + intercepts.
class LinearModel {
 public:
  LinearModel(const ir::Node& node, int64_t targets)
      : coefficients_(node.attr_floats("coefficients")),
        intercepts_(node.attr_floats("intercepts")),
        targets_(targets) {
    if (!intercepts_.empty() && intercepts_.size() != static_cast<size_t>(targets)) {
      fail(ErrorCode::kBadInput, "attribute 'intercepts': expected {} numbers, found {}", targets,
           intercepts_.size());
    }
  }

  void require_features(int64_t features) const {
    if (coefficients_.size() != static_cast<size_t>(checked_mul(targets_, features))) {
      fail(ErrorCode::kBadInput, "attribute 'coefficients': expected {} x {} numbers, found {}",
           targets_, features, coefficients_.size());
    }
  }
  void scores(const double* x, int64_t features, std::vector<double>& out) const {
    for (size_t t = 0; t < out.size(); ++t) {
      double sum = intercepts_.empty() ? 0.0 : intercepts_[t];
      const float* row = coefficients_.data() + static_cast<int64_t>(t) * features;
      for (int64_t i = 0; i < features; ++i) sum += x[i] * row[i];
      out[t] = sum;
    }
  }

 private:
  std::vector<float> coefficients_;
  std::vector<float> intercepts_;
  int64_t targets_;
};

int64_t target_count(const ir::Node& node) {
  const int64_t count = node.attr_int("targets", 1);
  if (count < 1) fail(ErrorCode::kBadInput, "attribute 'targets' must be >= 1; found {}", count);
  return count;
}

// A model of one score for two labels gets a second column.
SecondClass second_class(int64_t targets, const ClassLabels& labels) {
  return targets == 1 && labels.size() == 2 ? SecondClass::kComplement : SecondClass::kNone;
}

// Rows of coefficients; 0 when they do not divide by the features.
int64_t class_rows(const ir::Node& node, int64_t features) {
  const auto count = static_cast<int64_t>(node.attr_floats("coefficients").size());
  return features > 0 && count % features == 0 ? count / features : 0;
}

}  // namespace

void linear_classifier(KernelContext& context) {
  const ir::Node& node = context.node();
  const ir::Tensor& x = context.input(0);
  const Samples samples(x);
  const ClassLabels labels(node, "classlabels_ints");
  const int64_t targets = class_rows(node, samples.features);
  if (targets == 0 || (targets > 1 && labels.size() < targets)) {
    fail(ErrorCode::kBadInput,
         "expected coefficients [E, {}] and a label for each of E classes, found {} labels and {} "
         "classes",
         samples.features, labels.size(), targets);
  }
  const LinearModel model(node, targets);
  const PostTransform transform = post_transform_of(node);
  const SecondClass second = second_class(targets, labels);
  const int64_t columns = score_columns(targets, second);
  const ir::Tensor values = as_doubles(x);
  ir::Tensor chosen(labels.type(), {samples.count});
  ir::Tensor& z = context.output(1, ir::DataType::kFloat, {samples.count, columns});
  float* out = z.mutable_data<float>().data();
  std::vector<double> scores = scratch<double>(targets);
  for (int64_t n = 0; n < samples.count; ++n) {
    model.scores(values.data<double>().data() + n * samples.features, samples.features, scores);
    if (targets == 1) {
      labels.assign_binary(chosen, n, scores[0] > 0);
    } else {
      labels.assign(chosen, n, best_class(scores));
    }
    write_scores(scores, transform, second, out + n * columns);
  }
  context.set_output(0, std::move(chosen));
}

void infer_linear_classifier(InferContext& context) {
  const ir::Node& node = context.node();
  const ClassLabels labels(node, "classlabels_ints");
  const ir::Dim samples = known_samples(context, 0);
  ir::Dim columns = ir::Dim::unknown();
  const ir::Shape* x = context.shape(0);
  if (x != nullptr && x->back().known()) {
    const int64_t targets = class_rows(node, x->back().value);
    columns = ir::Dim::of(score_columns(targets, second_class(targets, labels)));
  }
  context.set(0, labels.type(), ir::Shape{samples});
  context.set(1, ir::DataType::kFloat, ir::Shape{samples, columns});
}

void linear_regressor(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const Samples samples(x);
  const int64_t targets = target_count(context.node());
  const LinearModel model(context.node(), targets);
  model.require_features(samples.features);
  const PostTransform transform = post_transform_of(context.node());
  const ir::Tensor values = as_doubles(x);
  ir::Tensor& y = context.output(0, ir::DataType::kFloat, {samples.count, targets});
  float* out = y.mutable_data<float>().data();
  std::vector<double> scores = scratch<double>(targets);
  for (int64_t n = 0; n < samples.count; ++n) {
    model.scores(values.data<double>().data() + n * samples.features, samples.features, scores);
    write_scores(scores, transform, SecondClass::kNone, out + n * targets);
  }
}

void infer_linear_regressor(InferContext& context) {
  context.set(0, ir::DataType::kFloat,
              ir::Shape{known_samples(context, 0), ir::Dim::of(target_count(context.node()))});
}

}  // namespace fettle::ops
