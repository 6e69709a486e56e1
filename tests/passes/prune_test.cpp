#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>

#include "ir/error.h"
#include "ir/float16.h"
#include "ir/print.h"
#include "passes/prune/unstructured.h"
#include "support/text_model.h"

namespace fettle {
namespace {

using passes::PruneOptions;
using passes::PruneReport;

ir::Model two_layers() {
  return test::parse_text_graph(R"(
g (float[1, 1, 2, 2] x) => (float[1, 2] y)
<float[2, 1, 2, 2] w = {1.0, -2.0, 3.0, 0.5, -0.5, 0.25, 7.0, 8.0},
 float[2, 2] k = {0.5, -9.0, 0.0, 0.125}, float[2] b = {0.001, 0.002}> {
  c = Conv (x, w, b)
  f = Flatten (c)
  y = MatMul (f, k)
})");
}

std::vector<float> elements(const ir::Model& model, const std::string& name) {
  const auto data = model.graph->find(name)->constant()->data<float>();
  return {data.begin(), data.end()};
}

PruneReport prune(ir::Model& model, double sparsity, std::vector<std::string> exclude = {}) {
  return passes::prune_unstructured(model, {sparsity, std::move(exclude)});
}

TEST(PruneUnstructured, ZeroesTheSmallestOfAllTensors) {
  ir::Model model = two_layers();
  const PruneReport report = prune(model, 0.25);  // 3 of 12: the zero, 0.125 and 0.25
  EXPECT_EQ(elements(model, "w"), (std::vector<float>{1, -2, 3, 0.5f, -0.5f, 0, 7, 8}));
  EXPECT_EQ(elements(model, "k"), (std::vector<float>{0.5f, -9, 0, 0}));
  EXPECT_EQ(elements(model, "b"), (std::vector<float>{0.001f, 0.002f}));
  EXPECT_EQ(report.weights, 12);
  EXPECT_EQ(report.zeros_before, 1);
  EXPECT_EQ(report.zeros_after, 3);
  EXPECT_EQ(report.threshold, 0.25);
  EXPECT_EQ(report.raw_bytes, 48);
}

TEST(PruneUnstructured, MeetsTheNumberExactlyDespiteTies) {
  ir::Model model = two_layers();
  const PruneReport report = prune(model, 5.0 / 12);  // two of the three 0.5: the earlier ones
  EXPECT_EQ(elements(model, "w"), (std::vector<float>{1, -2, 3, 0, 0, 0, 7, 8}));
  EXPECT_EQ(elements(model, "k"), (std::vector<float>{0.5f, -9, 0, 0}));
  EXPECT_EQ(report.zeros_after, 5);
}

TEST(PruneUnstructured, EverySparsityGivesItsNumber) {
  for (int wanted = 1; wanted <= 12; ++wanted) {
    ir::Model model = two_layers();
    EXPECT_EQ(prune(model, wanted / 12.0).zeros_after, wanted);
  }
  ir::Model model = two_layers();
  EXPECT_EQ(prune(model, 0).zeros_after, 1);  // what is zero stays so
}

TEST(PruneUnstructured, ReportsTensorsAndMarksFirstAndLast) {
  ir::Model model = two_layers();
  const PruneReport report = prune(model, 0.25);
  ASSERT_EQ(report.tensors.size(), 2u);
  EXPECT_EQ(report.tensors[0].name, "w");
  EXPECT_TRUE(report.tensors[0].is_first);
  EXPECT_FALSE(report.tensors[0].is_last);
  EXPECT_EQ(report.tensors[1].node, "node 'y' (MatMul)");
  EXPECT_TRUE(report.tensors[1].is_last);
  EXPECT_EQ(report.tensors[1].zeros_before, 1);
  EXPECT_EQ(report.tensors[1].zeros_after, 2);
  EXPECT_NE(report.statement.find("do not run it faster"), std::string::npos);
}

TEST(PruneUnstructured, LeavesExcludedAndOtherwiseReadWeightsAlone) {
  ir::Model model = two_layers();
  PruneReport report = prune(model, 1, {"k"});
  EXPECT_EQ(report.weights, 8);
  EXPECT_EQ(elements(model, "k")[1], -9);
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].name, "k");

  ir::Model tied = test::parse_text_graph(R"(
g (int64[N] i, float[1, 2] x) => (float[N, 2] y, float[1, 2] z) <float[2, 2] w = {1.0, 2.0, 3.0, 4.0}> {
  y = Gather (w, i)
  z = MatMul (x, w)
})");
  report = prune(tied, 1);
  EXPECT_EQ(report.weights, 0);
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_NE(report.skipped[0].reason.find("Gather"), std::string::npos);
  EXPECT_EQ(elements(tied, "w")[0], 1);
}

TEST(PruneUnstructured, DoesNotTouchTheModelItWasClonedFrom) {
  const ir::Model original = two_layers();
  const std::string before = ir::to_text(original);
  ir::Model copy = ir::clone(original);
  prune(copy, 1);
  EXPECT_EQ(ir::to_text(original), before);
}

TEST(PruneUnstructured, KeepsNanAndPrunesOtherFloatTypes) {
  ir::Model model = two_layers();
  ir::Value& k = *model.graph->find("k");
  k.set_constant(ir::Tensor::of<ir::Float16>({2, 2}, {ir::Float16(1e-7f), ir::Float16(2.0f),
                                                     ir::Float16(std::nanf("")), ir::Float16(-0.0f)}));
  const PruneReport report = prune(model, 11.0 / 12);
  EXPECT_EQ(report.zeros_after, 11);
  EXPECT_TRUE(std::isnan(static_cast<float>(k.constant()->data<ir::Float16>()[2])));
}

TEST(PruneUnstructured, CompressedSizesAreThoseOfZlib) {
  ir::Model model = two_layers();
  ir::Tensor weights(ir::DataType::kFloat, {100, 1000});
  uint32_t state = 1;
  for (float& w : weights.mutable_data<float>()) {
    state = state * 1664525u + 1013904223u;
    w = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
  }
  model.graph->find("k")->set_constant(weights);
  const PruneReport report = prune(model, 0.9, {"w"});
  const auto compressed = [](const ir::Tensor& t) {
    uLongf size = compressBound(t.byte_size());
    std::vector<Bytef> out(size);
    compress(out.data(), &size, reinterpret_cast<const Bytef*>(t.bytes()), t.byte_size());
    return static_cast<int64_t>(size);
  };
  EXPECT_EQ(report.compressed_before, compressed(weights));
  EXPECT_EQ(report.compressed_after, compressed(*model.graph->find("k")->constant()));
  EXPECT_LT(report.compressed_after, report.compressed_before / 3);
}

TEST(PruneUnstructured, RefusesSparsityOutOfRange) {
  for (const double sparsity : {-0.1, 1.1, std::nan("")}) {
    ir::Model model = two_layers();
    EXPECT_THROW(prune(model, sparsity), Error);
  }
}

TEST(PrunePattern, MatchesLikeFileNames) {
  EXPECT_TRUE(passes::matches_pattern("layer1/conv", "layer?/*"));
  EXPECT_TRUE(passes::matches_pattern("abcbc", "a*bc"));
  EXPECT_TRUE(passes::matches_pattern("", "*"));
  EXPECT_FALSE(passes::matches_pattern("abcb", "a*bc"));
  EXPECT_FALSE(passes::matches_pattern("ab", "a"));
}

}  // namespace
}  // namespace fettle
