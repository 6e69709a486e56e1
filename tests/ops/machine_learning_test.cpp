// Operators of ai.onnx.ml: what conformance cases do not cover, and hostile models.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/error.h"
#include "ops/run_operator.h"

namespace fettle::test {
namespace {

using ir::Attribute;
using ir::Dim;
using ir::Tensor;
using Longs = std::vector<int64_t>;
using Strings = std::vector<std::string>;
using Floats = std::vector<float>;

constexpr const char* kMl = "ai.onnx.ml";

std::vector<Tensor> run(const char* name, int64_t version, std::vector<Attribute> attributes,
                        const Tensor& x, size_t outputs = 1) {
  return run_operator({name, version, std::move(attributes), outputs, kMl}, {x});
}

// One tree: feature 0 <= split goes to node `yes`, else to `no`; nodes 1 and 2 are leaves.
std::vector<Attribute> stump(int64_t yes, int64_t no, Floats weights, const std::string& prefix) {
  return with(
      Attribute("nodes_treeids", Longs{0, 0, 0}), Attribute("nodes_nodeids", Longs{0, 1, 2}),
      Attribute("nodes_featureids", Longs{0, 0, 0}),
      Attribute("nodes_truenodeids", Longs{yes, 0, 0}),
      Attribute("nodes_falsenodeids", Longs{no, 0, 0}),
      Attribute("nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF"}),
      Attribute("nodes_values", Floats{0.5f, 0, 0}), Attribute(prefix + "_treeids", Longs{0, 0}),
      Attribute(prefix + "_nodeids", Longs{1, 2}), Attribute(prefix + "_ids", Longs{0, 0}),
      Attribute(prefix + "_weights", std::move(weights)));
}

TEST(TreeEnsemble, RegressorReachesBothLeaves) {
  const Tensor x = Tensor::of<float>({3, 1}, {0.5f, 0.75f, NAN});
  const auto y = run("TreeEnsembleRegressor", 1, stump(1, 2, {10, 20}, "target"), x);
  EXPECT_EQ(elements<float>(y[0]), (Floats{10, 20, 20}));
  auto attributes = stump(1, 2, {10, 20}, "target");
  attributes.emplace_back("nodes_missing_value_tracks_true", Longs{1, 0, 0});
  const auto z = run("TreeEnsembleRegressor", 3, std::move(attributes), x);
  EXPECT_EQ(elements<float>(z[0]), (Floats{10, 20, 10}));
}

TEST(TreeEnsemble, HostileTreesEnd) {
  const Tensor x = Tensor::of<float>({1, 1}, {0});
  for (const auto& [yes, no] : {std::pair<int64_t, int64_t>{0, 2},  // the root is its own child
                                {7, 2},
                                {-1, 2},
                                {INT64_MIN, INT64_MAX}}) {
    EXPECT_THROW(run("TreeEnsembleRegressor", 1, stump(yes, no, {1, 2}, "target"), x), Error);
  }
  const auto change = [&](Attribute attribute) {
    auto attributes = stump(1, 2, {1, 2}, "target");
    for (Attribute& a : attributes) {
      if (a.name == attribute.name) a = std::move(attribute);
    }
    return attributes;
  };
  for (const int64_t feature : {int64_t{1}, int64_t{-1}, INT64_MAX}) {
    EXPECT_THROW(run("TreeEnsembleRegressor", 1,
                     change(Attribute("nodes_featureids", Longs{feature, 0, 0})), x),
                 Error);
  }
  EXPECT_THROW(run("TreeEnsembleRegressor", 1, change(Attribute("target_ids", Longs{0, 1})), x),
               Error);
  EXPECT_THROW(
      run("TreeEnsembleRegressor", 1, change(Attribute("nodes_nodeids", Longs{0, 1, 1})), x),
      Error);
  EXPECT_THROW(run("TreeEnsembleRegressor", 1, change(Attribute("nodes_values", Floats{0})), x),
               Error);
}

// Two nodes below the root that are each other's children.
TEST(TreeEnsemble, CycleBelowTheRootIsFound) {
  const auto attributes = [] {
    return with(Attribute("tree_roots", Longs{0}), Attribute("nodes_featureids", Longs{0, 0, 0}),
                Attribute("nodes_modes", Tensor::of<uint8_t>({3}, {0, 0, 0})),
                Attribute("nodes_splits", Tensor::of<float>({3}, {9, 9, 9})),
                Attribute("nodes_truenodeids", Longs{1, 2, 1}),
                Attribute("nodes_trueleafs", Longs{0, 0, 0}),
                Attribute("nodes_falsenodeids", Longs{0, 0, 0}),
                Attribute("nodes_falseleafs", Longs{1, 1, 1}),
                Attribute("leaf_targetids", Longs{0}), Attribute("n_targets", 1),
                Attribute("leaf_weights", Tensor::of<float>({1}, {4})));
  };
  EXPECT_THROW(run("TreeEnsemble", 5, attributes(), Tensor::of<float>({1, 1}, {0})), Error);
  const auto y = run("TreeEnsemble", 5, attributes(), Tensor::of<float>({1, 1}, {10}));
  EXPECT_EQ(elements<float>(y[0]), Floats{4});
}

TEST(TreeEnsemble, BinaryClassifierOfPositiveVotesGivesProbabilities) {
  auto attributes = stump(1, 2, {0.25f, 0.75f}, "class");
  attributes.emplace_back("classlabels_strings", Strings{"no", "yes"});
  const auto y =
      run("TreeEnsembleClassifier", 1, std::move(attributes), Tensor::of<float>({2, 1}, {0, 1}), 2);
  EXPECT_EQ(y[0].strings(), (Strings{"no", "yes"}));
  EXPECT_EQ(elements<float>(y[1]), (Floats{0.75f, 0.25f, 0.25f, 0.75f}));
}

TEST(LabelEncoder, NanDuplicatesAndDefaults) {
  const Tensor x = Tensor::of<float>({4}, {NAN, -0.0f, 2, 3});
  const auto y = run("LabelEncoder", 4,
                     with(Attribute("keys_floats", Floats{NAN, 0, 2, 2}),
                          Attribute("values_strings", Strings{"nan", "zero", "first", "last"})),
                     x);
  EXPECT_EQ(y[0].strings(), (Strings{"nan", "zero", "last", "_Unused"}));
  EXPECT_THROW(
      run("LabelEncoder", 4,
          with(Attribute("keys_floats", Floats{1}), Attribute("values_strings", Strings{"a", "b"})),
          x),
      Error);
  EXPECT_THROW(
      run("LabelEncoder", 4,
          with(Attribute("keys_int64s", Longs{1}), Attribute("values_int64s", Longs{1})), x),
      Error);
}

TEST(LinearClassifier, OneRowOfCoefficientsForTwoLabels) {
  const auto y =
      run("LinearClassifier", 1,
          with(Attribute("coefficients", Floats{1}), Attribute("intercepts", Floats{0}),
               Attribute("classlabels_ints", Longs{3, 4}), Attribute("post_transform", "LOGISTIC")),
          Tensor::of<float>({2, 1}, {-1, 1}), 2);
  EXPECT_EQ(elements<int64_t>(y[0]), (Longs{3, 4}));
  const float high = 1 / (1 + std::exp(-1.0f));
  EXPECT_NEAR(elements<float>(y[1])[0], high, 1e-6);
  EXPECT_NEAR(elements<float>(y[1])[1], 1 - high, 1e-6);
}

TEST(SvmClassifier, ProbabilitiesOfThreeClassesSumToOne) {
  const auto y = run(
      "SVMClassifier", 1,
      with(Attribute("coefficients", Floats{1, -2, 3, 1, 2, -1}),
           Attribute("support_vectors", Floats{1, 2, 3}), Attribute("rho", Floats{.1f, .2f, .3f}),
           Attribute("prob_a", Floats{-1, -2, -1}), Attribute("prob_b", Floats{.1f, 0, .2f}),
           Attribute("kernel_params", Floats{.5f, 0, 3}), Attribute("kernel_type", "RBF"),
           Attribute("vectors_per_class", Longs{1, 1, 1}),
           Attribute("classlabels_ints", Longs{0, 1, 2})),
      Tensor::of<float>({1, 1}, {1.5f}), 2);
  const auto p = elements<float>(y[1]);
  ASSERT_EQ(p.size(), 3u);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-6);
}

TEST(FeatureOperators, RefuseWhatDoesNotFit) {
  const Tensor x = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_THROW(run("Scaler", 1,
                   with(Attribute("scale", Floats{1, 2, 3}), Attribute("offset", Floats{0})), x),
               Error);
  EXPECT_THROW(run("Imputer", 1, {}, x), Error);
  EXPECT_THROW(run("FeatureVectorizer", 1, with(Attribute("inputdimensions", Longs{INT64_MAX})), x),
               Error);
  EXPECT_THROW(run("Normalizer", 1, with(Attribute("norm", "L3")), x), Error);
  EXPECT_THROW(
      run_operator({"ArrayFeatureExtractor", 1, {}, 1, kMl}, {x, Tensor::of<int64_t>({1}, {2})}),
      Error);
  EXPECT_THROW(
      run("OneHotEncoder", 1, with(Attribute("cats_int64s", Longs{1}), Attribute("zeros", 0)), x),
      Error);
}

TEST(FeatureOperators, RulesKeepSymbols) {
  const auto x = tensor_facts(ir::DataType::kFloat, {Dim::named("N"), Dim::of(3)});
  const auto shape = [&](const char* name, std::vector<Attribute> attributes, size_t output) {
    const auto facts = infer_operator({name, 1, std::move(attributes), 2, kMl}, {x});
    return ir::to_string(*facts[output].type.shape);
  };
  EXPECT_EQ(shape("OneHotEncoder", with(Attribute("cats_int64s", Longs{1, 2})), 0), "[N, 3, 2]");
  EXPECT_EQ(
      shape("LinearClassifier",
            with(Attribute("coefficients", Floats(12)), Attribute("classlabels_ints", Longs(4))),
            1),
      "[N, 4]");
  EXPECT_EQ(shape("TreeEnsembleRegressor", with(Attribute("n_targets", 5)), 0), "[N, 5]");
  EXPECT_EQ(shape("TreeEnsembleClassifier", with(Attribute("classlabels_int64s", Longs(2))), 0),
            "[N]");
}

}  // namespace
}  // namespace fettle::test
