#include "ops/ml_scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace fettle::ops {
namespace {

// Winitzki's approximation of the inverse error function, which the operators are defined by in
// practice.
double inverse_erf(double x) {
  const double sign = x < 0 ? -1 : 1;
  const double rest = (1 - x) * (1 + x);
  if (rest == 0) return 0;
  const double log = std::log(rest);
  const double v = 2.0 / (std::numbers::pi * 0.147) + 0.5 * log;
  return sign * std::sqrt(-v + std::sqrt(v * v - log / 0.147));
}

double probit(double x) {
  return std::numbers::sqrt2 * inverse_erf(2 * x - 1);
}

void divide(std::span<double> values, double by) {
  for (double& v : values) v /= by;
}

void softmax(std::span<double> values) {
  const double highest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& v : values) sum += v = std::exp(v - highest);
  divide(values, sum);
}

// Softmax of the scores that are not zero; zeros stay.
void softmax_zero(std::span<double> values) {
  const double highest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& v : values) {
    v = std::fabs(v) > 1e-7 ? std::exp(v - highest) : v * std::exp(-highest);
    sum += v;
  }
  if (sum == 0) {
    std::fill(values.begin(), values.end(), 0.5);
  } else {
    divide(values, sum);
  }
}

void transform_all(std::span<double> values, PostTransform transform) {
  switch (transform) {
    case PostTransform::kNone:
      return;
    case PostTransform::kSoftmax:
      return softmax(values);
    case PostTransform::kSoftmaxZero:
      return softmax_zero(values);
    case PostTransform::kLogistic:
      std::transform(values.begin(), values.end(), values.begin(), logistic);
      return;
    case PostTransform::kProbit:
      std::transform(values.begin(), values.end(), values.begin(), probit);
      return;
  }
}

}  // namespace

double logistic(double x) {
  const double v = 1.0 / (1.0 + std::exp(-std::fabs(x)));
  return x < 0 ? 1.0 - v : v;
}

PostTransform post_transform_of(const ir::Node& node) {
  static constexpr std::array kNames = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  const std::string name = node.attr_string("post_transform", "NONE");
  const auto it = std::find(kNames.begin(), kNames.end(), name);
  if (it == kNames.end()) {
    fail(ErrorCode::kBadInput, "attribute 'post_transform': '{}' is no known transform", name);
  }
  return static_cast<PostTransform>(it - kNames.begin());
}

PostTransform post_transform_of(int64_t number) {
  if (number < 0 || number > 4) {
    fail(ErrorCode::kBadInput, "attribute 'post_transform': {} is not in [0, 4]", number);
  }
  return static_cast<PostTransform>(number);
}

void write_scores(std::span<double> scores, PostTransform transform, SecondClass second,
                  float* out) {
  std::array<double, 2> pair{};
  if (scores.size() == 1) {
    const double s = scores[0];
    const bool logistic_pair =
        transform == PostTransform::kLogistic && second != SecondClass::kNone;
    pair = {logistic_pair || second == SecondClass::kNegated ? -s : 1 - s, s};
    if (logistic_pair || transform == PostTransform::kProbit) transform_all(pair, transform);
    scores = second == SecondClass::kNone ? std::span(pair).last(1) : std::span(pair);
  } else if (!scores.empty()) {
    transform_all(scores, transform);
  }
  for (const double s : scores) *out++ = static_cast<float>(s);
}

ClassLabels::ClassLabels(const ir::Node& node, std::string_view integers)
    : strings_(node.attr_strings("classlabels_strings")), integers_(node.attr_ints(integers)) {
  if (!strings_.empty() && !integers_.empty()) {
    fail(ErrorCode::kBadInput, "expected one of classlabels_strings and {}, found both", integers);
  }
}

void ClassLabels::assign(ir::Tensor& out, int64_t n, int64_t i) const {
  FETTLE_ASSERT(i >= 0 && i < size());
  const auto at = static_cast<size_t>(i);
  if (strings_.empty()) {
    out.mutable_data<int64_t>()[static_cast<size_t>(n)] = integers_[at];
  } else {
    out.mutable_strings()[static_cast<size_t>(n)] = strings_[at];
  }
}

void ClassLabels::assign_binary(ir::Tensor& out, int64_t n, bool positive) const {
  if (size() == 2) return assign(out, n, positive ? 1 : 0);
  if (strings_.empty()) {
    out.mutable_data<int64_t>()[static_cast<size_t>(n)] = positive ? 1 : 0;
  } else {
    out.mutable_strings()[static_cast<size_t>(n)] = std::string(1, positive ? '1' : '0');
  }
}

int64_t best_class(std::span<const double> scores) {
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

}  // namespace fettle::ops
