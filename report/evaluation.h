// Runs models over data sets and measures accuracy and agreement. Streaming.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calib/dataset.h"
#include "report/class_scores.h"
#include "report/metrics.h"

namespace fettle::report {

using RunSink = std::function<void(int64_t first, const std::vector<ops::RuntimeValue>& outputs)>;
using Progress = std::function<void(int64_t done, int64_t total)>;

struct EvaluationOptions {
  interp::ExecutorOptions executor;
  int64_t max_samples = 0;  // 0: all
  Progress progress;
};

// Runs `model` on every sample and hands the outputs to `sink`, in order: those of one sample, or of
// one batch where the model fixes its extent. Small models may run several samples at once
// (calib/sample_runs.h). `sink` and the progress function are called one at a time, but from any
// thread, and while samples are read. Returns the number of samples run.
int64_t run_over(const ir::Model& model, calib::Dataset& data, const EvaluationOptions& options,
                 const RunSink& sink);

// Outputs of a model kept on disk (an unlinked temporary file), so that a second model can be
// compared while only one of the two is in memory.
class OutputStore {
 public:
  OutputStore();
  ~OutputStore();
  OutputStore(const OutputStore&) = delete;
  OutputStore& operator=(const OutputStore&) = delete;

  void append(const std::vector<ops::RuntimeValue>& outputs);
  // Outputs of run `index`; non-tensor outputs come back as "no tensor".
  std::vector<ir::Tensor> read(size_t index) const;
  size_t runs() const { return runs_.size(); }
  void clear();

 private:
  struct Entry {
    ir::DataType type = ir::DataType::kUndefined;
    ir::Dims dims;
    int64_t offset = 0;
  };
  int fd_ = -1;
  int64_t end_ = 0;
  std::vector<std::vector<Entry>> runs_;
};

// Task metrics of one model: present where the data has labels and an output holds class scores.
struct TaskMetrics {
  int64_t samples = 0;
  std::optional<AccuracyCounter> accuracy;
  std::string scored_output;
};

// Collects task metrics run by run.
class TaskScorer {
 public:
  TaskScorer(const ir::Model& model, const calib::Dataset& data)
      : TaskScorer(ClassScores(model, data), data) {}
  // With a decision that may have been made already, for another form of the model.
  TaskScorer(ClassScores scores, const calib::Dataset& data)
      : labels_(data.labels()), scores_(std::move(scores)) {}
  // Throws kBadInput when the labels do not fit the output that holds the scores.
  void add(int64_t first, const std::vector<ops::RuntimeValue>& outputs);
  const TaskMetrics& metrics() const { return metrics_; }
  const ClassScores& scores() const { return scores_; }

 private:
  const std::optional<std::vector<int64_t>>& labels_;
  ClassScores scores_;
  TaskMetrics metrics_;
};

// Numerics of one model's outputs against another's, run by run.
class Comparer {
 public:
  // Without `scores` there is no agreement of the top class.
  explicit Comparer(const ir::Model& model, std::optional<ClassScores> scores = std::nullopt);
  void add(const std::vector<ir::Tensor>& reference, const std::vector<ops::RuntimeValue>& other);

  const std::vector<OutputComparison>& outputs() const { return outputs_; }
  const std::optional<AgreementCounter>& agreement() const { return agreement_; }
  // The output whose top class is compared; empty without agreement.
  std::string agreement_output() const { return agreement_ ? scores_->name() : ""; }
  // The first output with NaN or infinity against something else; null when there is none.
  const OutputComparison* mismatched() const;
  int64_t runs() const { return runs_; }

 private:
  std::vector<OutputComparison> outputs_;
  std::optional<AgreementCounter> agreement_;
  std::optional<ClassScores> scores_;
  int64_t runs_ = 0;
};

}  // namespace fettle::report
