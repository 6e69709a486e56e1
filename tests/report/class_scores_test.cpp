#include "report/class_scores.h"

#include <gtest/gtest.h>

#include "ir/error.h"
#include "support/text_model.h"

namespace fettle::report {
namespace {

using ir::Tensor;
using Kind = ClassScores::Kind;

class FakeData : public calib::Dataset {
 public:
  FakeData(int64_t batch, std::optional<std::vector<int64_t>> labels)
      : batch_(batch), labels_(std::move(labels)) {}
  int64_t size() const override { return 4; }
  int64_t batch() const override { return batch_; }
  bool batched() const override { return true; }
  bool uniform() const override { return true; }
  interp::Feeds read(int64_t) override { return {}; }
  const std::optional<std::vector<int64_t>>& labels() const override { return labels_; }

 private:
  int64_t batch_;
  std::optional<std::vector<int64_t>> labels_;
};

const char* const kLinear = R"(
  g (float[N, 8] x) => (float[N, 3] y) <float[8, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}, float[3] b = {1, 2, 3}>
  { m = MatMul(x, w)  y = Add(m, b) })";
const char* const kReconstruction = R"(
  g (float[N, 1, 3] x) => (float[N, 3] y) <float[3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}>
  { f = Flatten(x)  y = MatMul(f, w) })";
const char* const kActivation = "g (float[N, 8] x) => (float[N, 3] y) { y = Foo(x) }";
const char* const kBoxesAndClasses = R"(
  g (float[N, 8] x) => (boxes, scores) { boxes = Foo(x) raw = Foo(x) scores = Softmax(raw) })";

Kind kind_of(const char* graph, int64_t batch, std::optional<std::vector<int64_t>> labels,
             const std::vector<Tensor>& outputs, int* output = nullptr) {
  const ir::Model model = test::parse_text_graph(graph);
  ClassScores scores(model, FakeData(batch, std::move(labels)));
  std::vector<const Tensor*> all;
  for (const Tensor& t : outputs) all.push_back(&t);
  scores.decide(all);
  if (output != nullptr) *output = scores.output();
  return scores.kind();
}

Tensor row() { return Tensor::of<float>({1, 3}, {-1, 5, 2}); }

TEST(ClassScores, WithoutLabelsTheGraphOrTheValuesMustTell) {
  EXPECT_EQ(kind_of(kLinear, 1, std::nullopt, {row()}), Kind::kClasses);
  EXPECT_EQ(kind_of(kActivation, 1, std::nullopt, {row()}), Kind::kNone);
  EXPECT_EQ(kind_of(kActivation, 1, std::nullopt, {Tensor::of<float>({1, 3}, {0.2f, 0.5f, 0.3f})}), Kind::kClasses);
}

TEST(ClassScores, ReconstructionsOfAnInputAreNone) {
  EXPECT_EQ(kind_of(kReconstruction, 1, std::nullopt, {row()}), Kind::kNone);
  EXPECT_EQ(kind_of(kReconstruction, 1, {{0, 1, 2, 1}}, {row()}), Kind::kNone);
}

TEST(ClassScores, RowsMustBeTheSamplesOfARun) {
  EXPECT_EQ(kind_of(kLinear, 2, std::nullopt, {row()}), Kind::kNone);
  EXPECT_EQ(kind_of(kLinear, 2, {{0, 1, 2, 1}}, {row()}), Kind::kNone);
}

TEST(ClassScores, ProbabilitiesGoBeforeOtherOutputs) {
  int output = -1;
  const std::vector<Tensor> outputs{Tensor::of<float>({1, 4}, {1, 2, 3, 4}), Tensor::of<float>({1, 3}, {0.2f, 0.5f, 0.3f})};
  EXPECT_EQ(kind_of(kBoxesAndClasses, 1, std::nullopt, outputs, &output), Kind::kClasses);
  EXPECT_EQ(output, 1);
  EXPECT_EQ(kind_of(kBoxesAndClasses, 1, {{0, 1, 2, 0}}, outputs, &output), Kind::kClasses);
  EXPECT_EQ(output, 1);
}

TEST(ClassScores, LabelsOutsideTheClassesAreAnError) {
  EXPECT_THROW(kind_of(kLinear, 1, {{0, 1, 3, 0}}, {row()}), Error);
  EXPECT_THROW(kind_of(kLinear, 1, {{0, -1, 2, 0}}, {row()}), Error);
}

TEST(ClassScores, OneValuePerSampleNeedsLabelsZeroAndOne) {
  const Tensor value = Tensor::of<float>({1, 1}, {0.7f});
  EXPECT_EQ(kind_of(kActivation, 1, {{0, 1, 1, 0}}, {value}), Kind::kProbability);
  EXPECT_EQ(kind_of(kActivation, 1, {{0, 1, 7, 0}}, {value}), Kind::kNone);
}

}  // namespace
}  // namespace fettle::report
