#include "report/class_scores.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "ir/error.h"

namespace fettle::report {
namespace {

// More columns than any classifier has classes: a spectrum or an embedding table.
constexpr int64_t kMaxClasses = 100'000;
// How far the sum of a row of 8-bit or 16-bit probabilities may be from 1.
constexpr double kSumTolerance = 0.02;
constexpr int kMaxSteps = 64;

enum class Role { kPasses, kBias, kLinear, kDistribution };
struct Row {
  std::string_view op;
  Role role;
};
// kPasses: the scores are the first input's. kBias: those of the operand that is not constant.
constexpr Row kRoles[] = {
    {"Identity", Role::kPasses},         {"Reshape", Role::kPasses},
    {"Flatten", Role::kPasses},          {"Squeeze", Role::kPasses},
    {"Unsqueeze", Role::kPasses},        {"Cast", Role::kPasses},
    {"Dropout", Role::kPasses},          {"QuantizeLinear", Role::kPasses},
    {"DequantizeLinear", Role::kPasses}, {"Add", Role::kBias},
    {"Sub", Role::kBias},                {"Mul", Role::kBias},
    {"Div", Role::kBias},                {"Gemm", Role::kLinear},
    {"MatMul", Role::kLinear},           {"MatMulInteger", Role::kLinear},
    {"QLinearMatMul", Role::kLinear},    {"Conv", Role::kLinear},
    {"QLinearConv", Role::kLinear},      {"Softmax", Role::kDistribution},
    {"LogSoftmax", Role::kDistribution},
};

// The operand of an element-wise node that is no constant; null when that is not just one.
const ir::Value* variable_operand(const ir::Node& node) {
  const ir::Value* found = nullptr;
  for (const ir::Value* v : node.inputs()) {
    if (v == nullptr || v->has_initializer()) continue;
    if (v->producer() != nullptr && v->producer()->is("Constant")) continue;
    if (found != nullptr) return nullptr;
    found = v;
  }
  return found;
}

bool rows_are_distributions(const ir::Tensor& t, const ScoreShape& shape) {
  for (int64_t row = 0; row < shape.rows; ++row) {
    double sum = 0;
    for (int64_t c = 0; c < shape.classes; ++c) {
      const double p = ir::element_as_double(t, row * shape.classes + c);
      if (!(p >= 0 && p <= 1 + kSumTolerance)) return false;
      sum += p;
    }
    if (std::abs(sum - 1) > kSumTolerance) return false;
  }
  return shape.rows > 0;
}

}  // namespace

std::optional<ScoreShape> score_shape(const ir::Tensor& t) {
  if (t.rank() < 2 || !ir::is_floating(t.type())) return std::nullopt;
  ScoreShape shape{t.dim(0), 1};
  for (size_t i = 1; i < t.rank(); ++i) {
    if (t.dim(i) == 1) continue;
    if (shape.classes != 1) return std::nullopt;
    shape.classes = t.dim(i);
  }
  if (shape.classes < 2) return std::nullopt;
  return shape;
}

ClassScores::ClassScores(const ir::Model& reference, const calib::Dataset& data)
    : batch_(data.batch()) {
  for (const ir::Value* v : reference.graph->outputs()) {
    names_.push_back(v->name());
    origins_.push_back(origin_of(*v));
  }
  for (const ir::Value* v : reference.graph->inputs()) {
    if (v->has_initializer() || !v->type.is_tensor() || !v->type.shape || v->type.shape->empty()) continue;
    double elements = 1;
    for (size_t i = 1; i < v->type.shape->size(); ++i) {
      const ir::Dim& d = (*v->type.shape)[i];
      elements *= d.known() ? static_cast<double>(d.value) : 0;
    }
    if (elements > 0 && elements < 9e15) input_elements_.push_back(static_cast<int64_t>(elements));
  }
  if (!data.labels() || data.labels()->empty()) return;
  const std::vector<int64_t>& labels = *data.labels();
  const auto [low, high] = std::minmax_element(labels.begin(), labels.end());
  labels_ = LabelRange{*low, *high, low - labels.begin(), high - labels.begin()};
}

ClassScores::Origin ClassScores::origin_of(const ir::Value& value) {
  const ir::Value* at = &value;
  for (int step = 0; step < kMaxSteps && at != nullptr && at->producer() != nullptr; ++step) {
    const ir::Node& node = *at->producer();
    const auto row = std::find_if(std::begin(kRoles), std::end(kRoles),
                                  [&](const Row& r) { return node.is(r.op); });
    if (row == std::end(kRoles)) return Origin::kOther;
    if (row->role == Role::kLinear) return Origin::kLinear;
    if (row->role == Role::kDistribution) return Origin::kDistribution;
    at = row->role == Role::kPasses ? node.input(0) : variable_operand(node);
  }
  return Origin::kOther;
}

int ClassScores::confidence(size_t output, const ir::Tensor& tensor) const {
  const auto shape = score_shape(tensor);
  if (!shape || shape->rows != batch_) return -1;
  const bool distribution =
      origins_[output] == Origin::kDistribution || rows_are_distributions(tensor, *shape);
  if (distribution) return 2;
  const bool reconstruction = std::find(input_elements_.begin(), input_elements_.end(),
                                        shape->classes) != input_elements_.end();
  if (reconstruction) return -1;
  return origins_[output] == Origin::kLinear && shape->classes <= kMaxClasses ? 1 : 0;
}

void ClassScores::fail_labels(size_t output, int64_t classes) const {
  const bool negative = labels_->min < 0;
  fail(ErrorCode::kBadInput,
       "label {} of sample {} is none of the {} classes (0 to {}) of output '{}'; correct the labels, or "
       "take the array out of the data if it holds something else",
       negative ? labels_->min : labels_->max, negative ? labels_->min_at : labels_->max_at, classes,
       classes - 1, names_[output]);
}

void ClassScores::decide_classes(const std::vector<const ir::Tensor*>& outputs) {
  int best = labels_ ? -1 : 0;  // without labels, only what is known to be scores
  int misfit = -1;
  for (size_t i = 0; i < outputs.size() && i < names_.size(); ++i) {
    if (outputs[i] == nullptr) continue;
    const int found = confidence(i, *outputs[i]);
    if (found < 0) continue;
    if (labels_ && (labels_->min < 0 || labels_->max >= score_shape(*outputs[i])->classes)) {
      if (misfit < 0) misfit = static_cast<int>(i);
      continue;
    }
    if (found <= best) continue;
    best = found;
    kind_ = Kind::kClasses;
    output_ = static_cast<int>(i);
  }
  if (kind_ == Kind::kNone && misfit >= 0) {
    const auto at = static_cast<size_t>(misfit);
    fail_labels(at, score_shape(*outputs[at])->classes);
  }
}

void ClassScores::decide_probability(const std::vector<const ir::Tensor*>& outputs) {
  if (!labels_ || labels_->min < 0 || labels_->max > 1) return;
  for (size_t i = 0; i < outputs.size() && i < names_.size(); ++i) {
    const ir::Tensor* t = outputs[i];
    if (t == nullptr || !ir::is_floating(t->type()) || t->rank() < 1) continue;
    if (t->dim(0) != batch_ || t->size() != batch_) continue;
    kind_ = Kind::kProbability;
    output_ = static_cast<int>(i);
    return;
  }
}

void ClassScores::decide(const std::vector<const ir::Tensor*>& outputs) {
  if (decided_) return;
  decided_ = true;
  decide_classes(outputs);
  if (kind_ == Kind::kNone) decide_probability(outputs);
  if (output_ >= 0) name_ = names_[static_cast<size_t>(output_)];
}

}  // namespace fettle::report
