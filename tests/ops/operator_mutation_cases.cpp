#include "ops/operator_mutation_cases.h"

#include <cmath>

namespace fettle::test {
namespace {

using enum ir::DataType;
using ir::Attribute;
using ir::Tensor;
using Longs = std::vector<int64_t>;
using Strings = std::vector<std::string>;
using Floats = std::vector<float>;

constexpr const char* kMl = "ai.onnx.ml";

Tensor real(ir::Dims dims) {
  Tensor t(kFloat, std::move(dims));
  float next = -1;
  for (float& v : t.mutable_data<float>()) v = next += 0.375f;
  return t;
}
Tensor longs(ir::Dims dims, const Longs& values) {
  return Tensor::of(std::move(dims), values);
}
Tensor strings(ir::Dims dims, Strings values) {
  return Tensor::of_strings(std::move(dims), std::move(values));
}
Tensor number(int64_t value) {
  return Tensor::scalar(value);
}

std::vector<Attribute> trees(const std::string& prefix) {
  return with(
      Attribute("nodes_treeids", Longs{0, 0, 0, 1, 1, 1}),
      Attribute("nodes_nodeids", Longs{0, 1, 2, 0, 1, 2}),
      Attribute("nodes_featureids", Longs{0, 0, 0, 1, 0, 0}),
      Attribute("nodes_truenodeids", Longs{1, 0, 0, 1, 0, 0}),
      Attribute("nodes_falsenodeids", Longs{2, 0, 0, 2, 0, 0}),
      Attribute("nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"}),
      Attribute("nodes_values", Floats{0, 0, 0, 1, 0, 0}),
      Attribute(prefix + "_treeids", Longs{0, 0, 1, 1}),
      Attribute(prefix + "_nodeids", Longs{1, 2, 1, 2}),
      Attribute(prefix + "_ids", Longs{0, 1, 2, 0}),
      Attribute(prefix + "_weights", Floats{1, -1, .5f, 2}), Attribute("n_targets", 3),
      Attribute("aggregate_function", "MIN"), Attribute("post_transform", "SOFTMAX"),
      Attribute("base_values", Floats{1, 2, 3}));
}

}  // namespace

std::vector<MutationCase> default_domain_cases() {
  return {
      {"",
       "SoftmaxCrossEntropyLoss",
       13,
       [] { return with(Attribute("reduction", "mean"), Attribute("ignore_index", 1)); },
       {real({2, 3, 2}), longs({2, 2}, {0, 1, 2, 0}), real({3})},
       2},
      {"",
       "NegativeLogLikelihoodLoss",
       13,
       [] { return with(Attribute("reduction", "none")); },
       {real({2, 3, 2}), longs({2, 2}, {0, 1, 2, 0}), real({3})}},
      {"",
       "DFT",
       17,
       [] { return with(Attribute("axis", 1), Attribute("inverse", 0), Attribute("onesided", 1)); },
       {real({2, 7, 3, 1}), number(9)}},
      {"",
       "DFT",
       20,
       [] { return with(Attribute("inverse", 1), Attribute("onesided", 1)); },
       {real({2, 7, 3, 2}), number(70), number(1)}},
      {"",
       "STFT",
       17,
       [] { return with(Attribute("onesided", 1)); },
       {real({2, 9, 1}), number(2), real({4}), number(4)}},
      {"",
       "BlackmanWindow",
       17,
       [] { return with(Attribute("periodic", 0), Attribute("output_datatype", 11)); },
       {number(9)}},
      {"",
       "MelWeightMatrix",
       17,
       [] { return with(Attribute("output_datatype", 1)); },
       {number(4), number(16), number(8000), Tensor::scalar(10.f), Tensor::scalar(3000.f)}},
      {"",
       "DeformConv",
       19,
       [] {
         return with(Attribute("offset_group", 2), Attribute("pads", Longs{1, 0, 1, 0}),
                     Attribute("strides", Longs{1, 2}), Attribute("dilations", Longs{1, 1}));
       },
       {real({1, 2, 4, 5}), real({3, 2, 2, 2}), real({1, 16, 5, 2}), real({3}),
        real({1, 8, 5, 2})}},
      {"",
       "Col2Im",
       18,
       [] {
         return with(Attribute("pads", Longs{1, 0, 1, 0}), Attribute("strides", Longs{1, 2}),
                     Attribute("dilations", Longs{2, 1}));
       },
       {real({1, 8, 10}), longs({2}, {5, 5}), longs({2}, {2, 2})}},
      {"",
       "AffineGrid",
       20,
       [] { return with(Attribute("align_corners", 1)); },
       {real({2, 2, 3}), longs({4}, {2, 3, 4, 5})}},
      {"", "Det", 11, [] { return with(); }, {real({2, 3, 3})}},
      {"",
       "MaxRoiPool",
       1,
       [] {
         return with(Attribute("pooled_shape", Longs{2, 3}), Attribute("spatial_scale", 0.5f));
       },
       {real({2, 2, 5, 5}), Tensor::of<float>({2, 5}, {0, 1, 1, 8, 8, 1, 0, 0, 3, 3})}},
      {"",
       "Multinomial",
       7,
       [] { return with(Attribute("sample_size", 5), Attribute("dtype", 7)); },
       {real({2, 3})}},
      {"",
       "StringConcat",
       20,
       [] { return with(); },
       {strings({2, 1}, {"a", "\xff"}), strings({1, 2}, {"", "b"})}},
      {"",
       "StringSplit",
       20,
       [] { return with(Attribute("delimiter", ","), Attribute("maxsplit", 2)); },
       {strings({2, 2}, {"a,b", ",,", "", "x"})},
       2},
      {"",
       "StringNormalizer",
       10,
       [] {
         return with(Attribute("case_change_action", "UPPER"),
                     Attribute("stopwords", Strings{"A"}));
       },
       {strings({1, 3}, {"a", "\xc3\xa9\xff", "b"})}},
      {"",
       "RegexFullMatch",
       20,
       [] { return with(Attribute("pattern", "(a|b)*c{2,5}")); },
       {strings({3}, {"abcc", "", "\xff"})}},
      {"",
       "TfIdfVectorizer",
       9,
       [] {
         return with(Attribute("mode", "TFIDF"), Attribute("ngram_counts", Longs{0, 2}),
                     Attribute("ngram_indexes", Longs{0, 2, 1}), Attribute("min_gram_length", 1),
                     Attribute("max_gram_length", 2), Attribute("max_skip_count", 1),
                     Attribute("pool_int64s", Longs{1, 2, 1, 2}),
                     Attribute("weights", Floats{1, 2, 3}));
       },
       {longs({2, 3}, {1, 2, 3, 2, 1, 2})}},
  };
}

std::vector<MutationCase> ml_domain_cases() {
  return {
      {kMl,
       "LabelEncoder",
       2,
       [] {
         return with(Attribute("keys_int64s", Longs{1, 2}),
                     Attribute("values_strings", Strings{"a", "b"}));
       },
       {longs({2, 2}, {1, 2, 3, 1})}},
      {kMl,
       "LabelEncoder",
       1,
       [] {
         return with(Attribute("classes_strings", Strings{"a", "b"}));
       },
       {strings({2}, {"a", "c"})}},
      {kMl,
       "OneHotEncoder",
       1,
       [] {
         return with(Attribute("cats_int64s", Longs{1, 2}), Attribute("zeros", 1));
       },
       {longs({2, 2}, {1, 2, 3, 1})}},
      {kMl,
       "ArrayFeatureExtractor",
       1,
       [] { return with(); },
       {real({2, 3}), longs({1, 2}, {0, 2})}},
      {kMl,
       "Scaler",
       1,
       [] {
         return with(Attribute("scale", Floats{2, 3}), Attribute("offset", Floats{1}));
       },
       {real({3, 2})}},
      {kMl,
       "Imputer",
       1,
       [] {
         return with(Attribute("imputed_value_floats", Floats{1, 2}),
                     Attribute("imputed_value_int64s", Longs{1}));
       },
       {real({3, 2})}},
      {kMl, "Normalizer", 1, [] { return with(Attribute("norm", "L2")); }, {real({3, 2})}},
      {kMl,
       "FeatureVectorizer",
       1,
       [] {
         return with(Attribute("inputdimensions", Longs{2, 3}));
       },
       {real({2, 2}), real({2, 3})}},
      {kMl,
       "LinearClassifier",
       1,
       [] {
         return with(
             Attribute("coefficients", Floats{1, 2, 3, 4}), Attribute("intercepts", Floats{1, 2}),
             Attribute("classlabels_ints", Longs{5, 6}), Attribute("post_transform", "LOGISTIC"));
       },
       {real({3, 2})},
       2},
      {kMl,
       "LinearRegressor",
       1,
       [] {
         return with(Attribute("coefficients", Floats{1, 2, 3, 4}), Attribute("targets", 2));
       },
       {real({3, 2})}},
      {kMl,
       "SVMClassifier",
       1,
       [] {
         return with(
             Attribute("coefficients", Floats{1, 2, 3, 4, 5, 6}),
             Attribute("support_vectors", Floats{1, 2, 3, 4, 5, 6}),
             Attribute("rho", Floats{1, 2, 3}), Attribute("prob_a", Floats{1, 2, 3}),
             Attribute("prob_b", Floats{1, 2, 3}), Attribute("kernel_params", Floats{.1f, .2f, 3}),
             Attribute("kernel_type", "RBF"), Attribute("vectors_per_class", Longs{1, 1, 1}),
             Attribute("classlabels_ints", Longs{5, 6, 7}));
       },
       {real({3, 2})},
       2},
      {kMl,
       "SVMRegressor",
       1,
       [] {
         return with(Attribute("coefficients", Floats{1, 2}), Attribute("rho", Floats{1}),
                     Attribute("support_vectors", Floats{1, 2, 3, 4}), Attribute("n_supports", 2));
       },
       {real({3, 2})}},
      {kMl, "TreeEnsembleRegressor", 1, [] { return trees("target"); }, {real({3, 2})}},
      {kMl,
       "TreeEnsembleClassifier",
       1,
       [] {
         auto attributes = trees("class");
         attributes.emplace_back("classlabels_strings", Strings{"a", "b", "c"});
         return attributes;
       },
       {real({3, 2})},
       2},
      {kMl,
       "TreeEnsemble",
       5,
       [] {
         return with(
             Attribute("tree_roots", Longs{0, 1}), Attribute("nodes_featureids", Longs{0, 1}),
             Attribute("nodes_modes", Tensor::of<uint8_t>({2}, {0, 6})),
             Attribute("nodes_splits", Tensor::of<float>({2}, {1, 0})),
             Attribute("nodes_truenodeids", Longs{1, 0}), Attribute("nodes_trueleafs", Longs{0, 1}),
             Attribute("nodes_falsenodeids", Longs{1, 2}),
             Attribute("nodes_falseleafs", Longs{1, 1}),
             Attribute("leaf_targetids", Longs{0, 1, 0}), Attribute("n_targets", 2),
             Attribute("leaf_weights", Tensor::of<float>({3}, {1, 2, 3})),
             Attribute("membership_values", Tensor::of<float>({3}, {1, 2, NAN})),
             Attribute("aggregate_function", 0), Attribute("post_transform", 1));
       },
       {real({3, 2})}},
  };
}

}  // namespace fettle::test
