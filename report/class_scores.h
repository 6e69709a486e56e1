// Which output of a model holds class scores (docs/report.md, "Class scores").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "calib/dataset.h"
#include "ir/model.h"

namespace fettle::report {

// A tensor seen as [rows, classes].
struct ScoreShape {
  int64_t rows = 0;
  int64_t classes = 0;
};
// Nothing unless the tensor is floating, of rank 2 or more, with at least two classes on one axis
// behind the first and nothing but 1 on all others.
std::optional<ScoreShape> score_shape(const ir::Tensor& tensor);

class ClassScores {
 public:
  enum class Kind {
    kNone,
    kClasses,      // [batch, classes]
    kProbability,  // one value per sample, for labels 0 and 1
  };
  ClassScores(const ir::Model& reference, const calib::Dataset& data);

  // Decides, on the first call, by the reference's outputs of one run (null: not a tensor). Throws
  // kBadInput when labels lie outside the classes of every output that could hold scores.
  void decide(const std::vector<const ir::Tensor*>& outputs);

  Kind kind() const { return kind_; }
  int output() const { return output_; }  // -1 for kNone
  const std::string& name() const { return name_; }

 private:
  // What the graph says about an output.
  enum class Origin { kOther, kLinear, kDistribution };
  struct LabelRange {
    int64_t min = 0;
    int64_t max = 0;
    int64_t min_at = 0;
    int64_t max_at = 0;
  };
  static Origin origin_of(const ir::Value& value);
  void decide_classes(const std::vector<const ir::Tensor*>& outputs);
  void decide_probability(const std::vector<const ir::Tensor*>& outputs);
  // 2: a probability distribution, 1: linear scores, 0: unknown, -1: no class scores.
  int confidence(size_t output, const ir::Tensor& tensor) const;
  [[noreturn]] void fail_labels(size_t output, int64_t classes) const;

  std::vector<std::string> names_;
  std::vector<Origin> origins_;
  std::vector<int64_t> input_elements_;  // per sample, of the inputs for which it is known
  std::optional<LabelRange> labels_;
  int64_t batch_ = 1;
  bool decided_ = false;
  Kind kind_ = Kind::kNone;
  int output_ = -1;
  std::string name_;
};

}  // namespace fettle::report
