#include "ops/ml_svm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/checked.h"
#include "ops/ml_operands.h"
#include "ops/ml_scores.h"
#include "ops/real_elements.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

enum class SvmKernel { kLinear, kPoly, kRbf, kSigmoid };

// k(x, v) of two vectors of `size` numbers.
class KernelFunction {
 public:
  explicit KernelFunction(const ir::Node& node) {
    static constexpr std::array kNames = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const std::string name = node.attr_string("kernel_type", "LINEAR");
    const auto it = std::find(kNames.begin(), kNames.end(), name);
    if (it == kNames.end()) {
      fail(ErrorCode::kBadInput, "attribute 'kernel_type': '{}' is not known", name);
    }
    kind_ = static_cast<SvmKernel>(it - kNames.begin());
    const std::vector<float> parameters = node.attr_floats("kernel_params");
    if (!parameters.empty() && parameters.size() != 3) {
      fail(ErrorCode::kBadInput, "attribute 'kernel_params': expected 3 numbers, found {}",
           parameters.size());
    }
    if (!parameters.empty()) {
      gamma_ = parameters[0];
      coef0_ = parameters[1];
      degree_ = parameters[2];
    }
  }

  double operator()(const double* x, const float* v, int64_t size) const {
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) {
      const double d = x[i] - v[i];
      sum += kind_ == SvmKernel::kRbf ? d * d : x[i] * v[i];
    }
    switch (kind_) {
      case SvmKernel::kPoly:
        return std::pow(gamma_ * sum + coef0_, degree_);
      case SvmKernel::kRbf:
        return std::exp(-gamma_ * sum);
      case SvmKernel::kSigmoid:
        return std::tanh(gamma_ * sum + coef0_);
      case SvmKernel::kLinear:
        break;
    }
    return sum;
  }
  void make_linear() { kind_ = SvmKernel::kLinear; }

 private:
  SvmKernel kind_ = SvmKernel::kLinear;
  double gamma_ = 0;
  double coef0_ = 0;
  double degree_ = 0;
};

template <typename T>
void require_size(const std::vector<T>& list, int64_t count, const char* name) {
  if (list.size() != static_cast<size_t>(count)) {
    fail(ErrorCode::kBadInput, "attribute '{}': expected {} numbers, found {}", name, count,
         list.size());
  }
}

// --- SVMRegressor ----------------------------------------------------------------------------

struct Regressor {
  KernelFunction kernel;
  std::vector<float> coefficients;
  std::vector<float> vectors;
  std::vector<float> rho;
  int64_t supports = 0;

  Regressor(const ir::Node& node, int64_t features)
      : kernel(node),
        coefficients(node.attr_floats("coefficients")),
        vectors(node.attr_floats("support_vectors")),
        rho(node.attr_floats("rho")),
        supports(node.attr_int("n_supports", 0)) {
    require_size(rho, 1, "rho");
    if (supports < 0) fail(ErrorCode::kBadInput, "attribute 'n_supports' must not be negative");
    require_size(coefficients, supports > 0 ? supports : features, "coefficients");
    if (supports > 0) require_size(vectors, checked_mul(supports, features), "support_vectors");
    if (supports == 0) kernel.make_linear();
  }
  double operator()(const double* x, int64_t features) const {
    if (supports == 0) return kernel(x, coefficients.data(), features) + rho[0];
    double sum = 0;
    for (int64_t i = 0; i < supports; ++i) {
      sum +=
          coefficients[static_cast<size_t>(i)] * kernel(x, vectors.data() + i * features, features);
    }
    return sum + rho[0];
  }
};

// --- SVMClassifier ---------------------------------------------------------------------------

struct Classifier {
  KernelFunction kernel;
  ClassLabels labels;
  std::vector<float> coefficients;
  std::vector<float> vectors;
  std::vector<float> rho;
  std::vector<float> prob_a;
  std::vector<float> prob_b;
  std::vector<int64_t> per_class;  // support vectors; empty for a linear model
  std::vector<int64_t> starts;
  int64_t supports = 0;
  int64_t classes = 1;

  Classifier(const ir::Node& node, int64_t features);
  bool linear() const { return supports == 0; }
  bool probabilities() const { return !linear() && !prob_a.empty(); }
  int64_t pairs() const { return classes * (classes - 1) / 2; }
  int64_t score_count() const { return linear() || probabilities() ? classes : pairs(); }
  // How the lone score of two classes becomes two, as in ONNX Runtime.
  SecondClass second(PostTransform transform) const {
    if (rho.size() != 1 || labels.size() != 2) return SecondClass::kNone;
    return transform == PostTransform::kNone ? SecondClass::kNegated : SecondClass::kComplement;
  }
};

Classifier::Classifier(const ir::Node& node, int64_t features)
    : kernel(node),
      labels(node, "classlabels_ints"),
      coefficients(node.attr_floats("coefficients")),
      vectors(node.attr_floats("support_vectors")),
      rho(node.attr_floats("rho")),
      prob_a(node.attr_floats("prob_a")),
      prob_b(node.attr_floats("prob_b")),
      per_class(node.attr_ints("vectors_per_class")) {
  if (labels.size() == 0) fail(ErrorCode::kBadInput, "expected class labels, found none");
  classes = labels.size();
  for (const int64_t count : per_class) {
    if (count < 0) fail(ErrorCode::kBadInput, "attribute 'vectors_per_class': {} < 0", count);
    starts.push_back(supports);
    supports = checked_add(supports, count);
  }
  if (linear()) {
    kernel.make_linear();
    require_size(coefficients, checked_mul(classes, features), "coefficients");
    if (rho.empty()) fail(ErrorCode::kBadInput, "attribute 'rho': expected a number, found none");
    return;
  }
  if (classes < 2) fail(ErrorCode::kBadInput, "expected at least 2 class labels");
  require_size(per_class, classes, "vectors_per_class");
  require_size(vectors, checked_mul(supports, features), "support_vectors");
  require_size(coefficients, checked_mul(classes - 1, supports), "coefficients");
  require_size(rho, pairs(), "rho");
  if (probabilities()) {
    require_size(prob_a, pairs(), "prob_a");
    require_size(prob_b, pairs(), "prob_b");
  }
}

// One score for every pair of classes, and a vote for the winner of each.
void compare_pairs(const Classifier& c, const double* x, int64_t features,
                   std::vector<double>& kernels, std::vector<double>& scores,
                   std::vector<double>& votes) {
  for (int64_t i = 0; i < c.supports; ++i) {
    kernels[static_cast<size_t>(i)] = c.kernel(x, c.vectors.data() + i * features, features);
  }
  std::fill(votes.begin(), votes.end(), 0.0);
  const auto part = [&](int64_t row, int64_t of) {
    double sum = 0;
    const int64_t begin = c.starts[static_cast<size_t>(of)];
    for (int64_t k = begin; k < begin + c.per_class[static_cast<size_t>(of)]; ++k) {
      sum += c.coefficients[static_cast<size_t>(row * c.supports + k)] *
             kernels[static_cast<size_t>(k)];
    }
    return sum;
  };
  size_t pair = 0;
  for (int64_t i = 0; i < c.classes; ++i) {
    for (int64_t j = i + 1; j < c.classes; ++j, ++pair) {
      scores[pair] = c.rho[pair] + part(j - 1, i) + part(i, j);
      votes[static_cast<size_t>(scores[pair] > 0 ? i : j)] += 1;
    }
  }
}

// Class probabilities p that fit the pairwise ones r best: the fixed-point iteration of Wu, Lin and
// Weng 2004, algorithm 2. r and q are [k, k].
class Coupling {
 public:
  explicit Coupling(int64_t k)
      : k_(static_cast<size_t>(k)), r(scratch<double>(checked_mul(k, k))), q_(r), qp_(k_) {}

  double& pair(size_t i, size_t j) { return r[i * k_ + j]; }
  void solve(std::vector<double>& p) {
    fill_q();
    p.assign(k_, 1.0 / static_cast<double>(k_));
    const size_t rounds = std::max<size_t>(100, k_);
    for (size_t round = 0; round < rounds; ++round) {
      const double pqp = multiply(p);
      double error = 0;
      for (size_t t = 0; t < k_; ++t) error = std::max(error, std::fabs(qp_[t] - pqp));
      if (error < 0.005 / static_cast<double>(k_)) return;
      sweep(p, pqp);
    }
  }

 private:
  void fill_q() {
    for (size_t t = 0; t < k_; ++t) {
      double diagonal = 0;
      for (size_t j = 0; j < k_; ++j) {
        if (j == t) continue;
        diagonal += pair(j, t) * pair(j, t);
        q_[t * k_ + j] = -pair(j, t) * pair(t, j);
      }
      q_[t * k_ + t] = diagonal;
    }
  }
  // qp = Q p; returns p' Q p.
  double multiply(const std::vector<double>& p) {
    double pqp = 0;
    for (size_t t = 0; t < k_; ++t) {
      qp_[t] = 0;
      for (size_t j = 0; j < k_; ++j) qp_[t] += q_[t * k_ + j] * p[j];
      pqp += p[t] * qp_[t];
    }
    return pqp;
  }
  void sweep(std::vector<double>& p, double pqp) {
    for (size_t t = 0; t < k_; ++t) {
      const double own = q_[t * k_ + t];
      const double step = (pqp - qp_[t]) / own;
      const double shrink = 1.0 + step;
      p[t] += step;
      pqp = (pqp + step * (step * own + 2.0 * qp_[t])) / (shrink * shrink);
      for (size_t j = 0; j < k_; ++j) {
        qp_[j] = (qp_[j] + step * q_[t * k_ + j]) / shrink;
        p[j] /= shrink;
      }
    }
  }

  size_t k_;
  std::vector<double> r;
  std::vector<double> q_;
  std::vector<double> qp_;
};

void probabilities(const Classifier& c, const std::vector<double>& scores, Coupling& coupling,
                   std::vector<double>& out) {
  size_t index = 0;
  const auto k = static_cast<size_t>(c.classes);
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = i + 1; j < k; ++j, ++index) {
      const double p = 1.0 - logistic(scores[index] * c.prob_a[index] + c.prob_b[index]);
      coupling.pair(i, j) = std::clamp(p, 1e-7, 1.0 - 1e-7);
      coupling.pair(j, i) = 1.0 - coupling.pair(i, j);
    }
  }
  coupling.solve(out);
}

}  // namespace

void svm_regressor(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const Samples samples(x);
  const Regressor model(context.node(), samples.features);
  const bool one_class = context.node().attr_int("one_class", 0) != 0;
  // A single score: post_transform has no influence, as in ONNX Runtime.
  const ir::Tensor values = as_doubles(x);
  ir::Tensor& y = context.output(0, ir::DataType::kFloat, {samples.count, 1});
  float* out = y.mutable_data<float>().data();
  for (int64_t n = 0; n < samples.count; ++n) {
    double score = model(values.data<double>().data() + n * samples.features, samples.features);
    if (one_class) score = score > 0 ? 1 : -1;
    out[n] = static_cast<float>(score);
  }
}

void infer_svm_regressor(InferContext& context) {
  context.set(0, ir::DataType::kFloat, ir::Shape{known_samples(context, 0), ir::Dim::of(1)});
}

void svm_classifier(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const Samples samples(x);
  const Classifier c(context.node(), samples.features);
  const PostTransform transform = post_transform_of(context.node());
  const int64_t columns = score_columns(c.score_count(), c.second(transform));
  const ir::Tensor values = as_doubles(x);
  ir::Tensor labels(c.labels.type(), {samples.count});
  ir::Tensor& z = context.output(1, ir::DataType::kFloat, {samples.count, columns});
  float* out = z.mutable_data<float>().data();
  std::vector<double> kernels = scratch<double>(c.supports);
  std::vector<double> scores = scratch<double>(c.linear() ? c.classes : c.pairs());
  std::vector<double> votes = scratch<double>(c.classes);
  std::vector<double> likely;
  Coupling coupling(c.probabilities() ? c.classes : 1);
  for (int64_t n = 0; n < samples.count; ++n) {
    const double* row = values.data<double>().data() + n * samples.features;
    for (int64_t i = 0; c.linear() && i < c.classes; ++i) {
      scores[static_cast<size_t>(i)] =
          c.rho[0] + c.kernel(row, c.coefficients.data() + i * samples.features, samples.features);
    }
    if (!c.linear()) compare_pairs(c, row, samples.features, kernels, scores, votes);
    c.labels.assign(labels, n, best_class(c.linear() ? scores : votes));
    if (c.probabilities()) probabilities(c, scores, coupling, likely);
    std::vector<double> shown = c.probabilities() ? likely : scores;
    write_scores(shown, transform, c.second(transform), out + n * columns);
  }
  context.set_output(0, std::move(labels));
}

void infer_svm_classifier(InferContext& context) {
  const ClassLabels labels(context.node(), "classlabels_ints");
  const ir::Dim samples = known_samples(context, 0);
  context.set(0, labels.type(), ir::Shape{samples});
  context.set(1, ir::DataType::kFloat, ir::Shape{samples, ir::Dim::unknown()});
}

}  // namespace fettle::ops
