#include "ops/ml_trees.h"

#include <algorithm>
#include <set>

#include "ops/checked.h"
#include "ops/ml_operands.h"
#include "ops/ml_scores.h"
#include "ops/real_elements.h"
#include "ops/scratch.h"
#include "ops/tree_ensemble.h"

namespace fettle::ops {
namespace {

enum class Aggregate { kAverage, kSum, kMin, kMax };

Aggregate aggregate_of(const ir::Node& node) {
  static constexpr std::array kNames = {"AVERAGE", "SUM", "MIN", "MAX"};
  const std::string name = node.attr_string("aggregate_function", "SUM");
  const auto it = std::find(kNames.begin(), kNames.end(), name);
  if (it == kNames.end()) {
    fail(ErrorCode::kBadInput, "attribute 'aggregate_function': '{}' is not known", name);
  }
  return static_cast<Aggregate>(it - kNames.begin());
}

Aggregate aggregate_of(int64_t number) {
  if (number < 0 || number > 3) {
    fail(ErrorCode::kBadInput, "attribute 'aggregate_function': {} is not in [0, 3]", number);
  }
  return static_cast<Aggregate>(number);
}

int64_t target_count(const ir::Node& node) {
  const int64_t count = node.attr_int("n_targets", 1);
  if (count < 1) fail(ErrorCode::kBadInput, "attribute 'n_targets' must be >= 1; found {}", count);
  return count;
}

// Samples as doubles, checked against the features that the trees look at.
ir::Tensor samples_of(const ir::Tensor& x, int64_t features, int64_t used) {
  if (used > features) {
    fail(ErrorCode::kBadInput, "the trees use {} features, samples have {}", used, features);
  }
  return as_doubles(x);
}

// What the leaves that one sample reaches say about each target, in the order of the trees.
class Votes {
 public:
  explicit Votes(int64_t targets)
      : scores_(scratch<double>(targets)), voted_(scratch<char>(targets)) {}

  void count(const TreeEnsemble& trees, const double* x, Aggregate aggregate) {
    std::fill(scores_.begin(), scores_.end(), 0.0);
    std::fill(voted_.begin(), voted_.end(), char{0});
    for (const int64_t root : trees.roots) {
      const TreeNode& leaf = trees.leaf(root, x);
      for (int64_t i = leaf.begin; i < leaf.end; ++i) {
        add(trees.votes[static_cast<size_t>(i)], aggregate);
      }
    }
    if (aggregate != Aggregate::kAverage || trees.roots.empty()) return;
    for (double& s : scores_) s /= static_cast<double>(trees.roots.size());
  }
  std::vector<double>& scores() { return scores_; }

 private:
  void add(const TreeVote& vote, Aggregate aggregate) {
    const auto t = static_cast<size_t>(vote.target);
    double& score = scores_[t];
    if (aggregate == Aggregate::kMin) {
      score = voted_[t] != 0 ? std::min(score, vote.weight) : vote.weight;
    } else if (aggregate == Aggregate::kMax) {
      score = voted_[t] != 0 ? std::max(score, vote.weight) : vote.weight;
    } else {
      score += vote.weight;
    }
    voted_[t] = 1;
  }

  std::vector<double> scores_;
  std::vector<char> voted_;
};

// The values to add to every sample's scores; empty for none.
std::vector<double> base_values(const ir::Node& node, int64_t targets) {
  std::vector<double> base = real_list(node, "base_values");
  if (!base.empty() && base.size() != static_cast<size_t>(targets) && base.size() != 1) {
    fail(ErrorCode::kBadInput, "attribute 'base_values': expected {} numbers, found {}", targets,
         base.size());
  }
  return base;
}

void add_base(std::vector<double>& scores, const std::vector<double>& base) {
  for (size_t i = 0; i < scores.size() && !base.empty(); ++i) scores[i] += base[i % base.size()];
}

void regress(KernelContext& context, const TreeEnsemble& trees, Aggregate aggregate,
             PostTransform transform, int64_t targets, ir::DataType type) {
  const ir::Tensor& x = context.input(0);
  const int64_t count = x.rank() == 2 ? x.dim(0) : 1;
  const int64_t features = x.dims().back();
  const ir::Tensor values = samples_of(x, features, trees.features);
  const std::vector<double> base = base_values(context.node(), targets);
  ir::Tensor& y = context.output(0, type, {count, targets});
  Votes votes(targets);
  std::vector<float> row = scratch<float>(targets);
  for (int64_t n = 0; n < count; ++n) {
    votes.count(trees, values.data<double>().data() + n * features, aggregate);
    add_base(votes.scores(), base);
    const auto& scores = votes.scores();
    if (transform == PostTransform::kNone) {
      store_doubles(scores.data(), targets, y, n * targets);
      continue;
    }
    write_scores(votes.scores(), transform, SecondClass::kNone, row.data());
    for (int64_t t = 0; t < targets; ++t) {
      store_double(row[static_cast<size_t>(t)], y, n * targets + t);
    }
  }
}

// --- TreeEnsembleClassifier ------------------------------------------------------------------

// Where all leaves vote for the first of two classes, the score is that of the second class: the
// usual form of binary models. The specification leaves open what follows; as in ONNX Runtime, a
// model without negative weights gives probabilities (decided at 0.5), and LOGISTIC is the only
// transform of the other scores.
struct Classifier {
  TreeEnsemble trees;
  ClassLabels labels;
  std::vector<double> base;
  bool binary = false;
  SecondClass second = SecondClass::kNone;
  double threshold = 0;  // of a score that decides alone

  explicit Classifier(const ir::Node& node) : labels(node, "classlabels_int64s") {
    if (labels.size() == 0) fail(ErrorCode::kBadInput, "expected class labels, found none");
    trees = classic_trees(node, "class", labels.size());
    base = base_values(node, labels.size());
    std::set<int64_t> voted;
    bool negative = false;
    for (const TreeVote& vote : trees.votes) {
      voted.insert(vote.target);
      negative = negative || vote.weight < 0;
    }
    binary = labels.size() == 2 && voted == std::set<int64_t>{0};
    if (binary) second = negative ? SecondClass::kNegated : SecondClass::kComplement;
    if (binary && !negative) threshold = 0.5;
  }

  void classify(std::vector<double>& scores, PostTransform transform, int64_t n, ir::Tensor& chosen,
                float* out) const {
    if (!binary && scores.size() > 1) {
      add_base(scores, base);
      labels.assign(chosen, n, best_class(scores));
      return write_scores(scores, transform, SecondClass::kNone, out);
    }
    if (!base.empty()) scores[0] += base[0];
    labels.assign_binary(chosen, n, scores[0] > threshold);
    write_scores(std::span(scores).first(1), transform, second, out);
  }
};

}  // namespace

void tree_classifier(KernelContext& context) {
  const PostTransform transform = post_transform_of(context.node());
  const ir::Tensor& x = context.input(0);
  const Samples samples(x);
  const Classifier c(context.node());
  const ir::Tensor values = samples_of(x, samples.features, c.trees.features);
  const int64_t classes = c.labels.size();
  ir::Tensor labels(c.labels.type(), {samples.count});
  ir::Tensor& scores = context.output(1, ir::DataType::kFloat, {samples.count, classes});
  float* out = scores.mutable_data<float>().data();
  Votes votes(classes);
  for (int64_t n = 0; n < samples.count; ++n, out += classes) {
    votes.count(c.trees, values.data<double>().data() + n * samples.features, Aggregate::kSum);
    c.classify(votes.scores(), transform, n, labels, out);
  }
  context.set_output(0, std::move(labels));
}

void infer_tree_classifier(InferContext& context) {
  const ClassLabels labels(context.node(), "classlabels_int64s");
  const ir::Dim samples = known_samples(context, 0);
  context.set(0, labels.type(), ir::Shape{samples});
  context.set(1, ir::DataType::kFloat, ir::Shape{samples, ir::Dim::of(labels.size())});
}

void tree_regressor(KernelContext& context) {
  const ir::Node& node = context.node();
  const int64_t targets = target_count(node);
  const Samples samples(context.input(0));
  regress(context, classic_trees(node, "target", targets), aggregate_of(node),
          post_transform_of(node), targets, ir::DataType::kFloat);
}

void infer_tree_regressor(InferContext& context) {
  context.set(0, ir::DataType::kFloat,
              ir::Shape{known_samples(context, 0), ir::Dim::of(target_count(context.node()))});
}

void tree_ensemble(KernelContext& context) {
  const ir::Node& node = context.node();
  const ir::Tensor& x = context.input(0);
  if (!is_real(x.type()) || x.rank() != 2) {
    fail(ErrorCode::kBadInput, "expected floating-point samples [N, F], found {} {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
  const int64_t targets = target_count(node);
  regress(context, rooted_trees(node, targets),
          aggregate_of(node.attr_int("aggregate_function", 1)),
          post_transform_of(node.attr_int("post_transform", 0)), targets, x.type());
}

void infer_tree_ensemble(InferContext& context) {
  context.set(0, context.element(0),
              ir::Shape{known_samples(context, 0), ir::Dim::of(target_count(context.node()))});
}

}  // namespace fettle::ops
