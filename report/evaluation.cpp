#include "report/evaluation.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "calib/sample_runs.h"
#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::report {

int64_t run_over(const ir::Model& model, calib::Dataset& data, const EvaluationOptions& options,
                 const RunSink& sink) {
  int64_t total = data.size();
  if (options.max_samples > 0) total = std::min(total, options.max_samples);
  total -= total % data.batch();
  if (total == 0) {
    fail(ErrorCode::kUsage, "the model takes {} samples at a time, but only {} are to be run",
         data.batch(), options.max_samples);
  }
  calib::run_samples(model, data, total, options.executor, {sink, options.progress});
  return total;
}

OutputStore::OutputStore() {
  std::string path = (std::filesystem::temp_directory_path() / "fettle-XXXXXX").string();
  fd_ = mkstemp(path.data());
  if (fd_ < 0) {
    fail(ErrorCode::kBadInput, "cannot make a temporary file in {}; set TMPDIR to a writable folder",
         std::filesystem::temp_directory_path().string());
  }
  unlink(path.c_str());
}

OutputStore::~OutputStore() {
  if (fd_ >= 0) close(fd_);
}

void OutputStore::clear() {
  runs_.clear();
  end_ = 0;
}

void OutputStore::append(const std::vector<ops::RuntimeValue>& outputs) {
  std::vector<Entry> run;
  for (const ops::RuntimeValue& value : outputs) {
    Entry entry;
    if (value.is_tensor() && value.tensor.type() != ir::DataType::kString) {
      const ir::Tensor& t = value.tensor;
      entry = {t.type(), t.dims(), end_};
      const char* at = reinterpret_cast<const char*>(t.bytes());
      size_t left = t.byte_size();
      while (left > 0) {
        const ssize_t n = pwrite(fd_, at, left, end_);
        if (n <= 0) fail(ErrorCode::kLimit, "the temporary folder is full; set TMPDIR to another one");
        at += n;
        end_ += n;
        left -= static_cast<size_t>(n);
      }
    }
    run.push_back(std::move(entry));
  }
  runs_.push_back(std::move(run));
}

std::vector<ir::Tensor> OutputStore::read(size_t index) const {
  std::vector<ir::Tensor> tensors;
  for (const Entry& entry : runs_.at(index)) {
    tensors.emplace_back();
    if (entry.type == ir::DataType::kUndefined) continue;
    ir::Tensor t(entry.type, entry.dims);
    char* at = reinterpret_cast<char*>(t.mutable_bytes());
    size_t left = t.byte_size();
    int64_t offset = entry.offset;
    while (left > 0) {
      const ssize_t n = pread(fd_, at, left, offset);
      if (n <= 0) fail(ErrorCode::kInternal, "lost a temporary file");
      at += n;
      offset += n;
      left -= static_cast<size_t>(n);
    }
    tensors.back() = std::move(t);
  }
  return tensors;
}

namespace {

// Null for what is no tensor.
std::vector<const ir::Tensor*> tensors_of(const std::vector<ops::RuntimeValue>& outputs) {
  std::vector<const ir::Tensor*> tensors;
  for (const auto& o : outputs) tensors.push_back(o.is_tensor() ? &o.tensor : nullptr);
  return tensors;
}

}  // namespace

void TaskScorer::add(int64_t first, const std::vector<ops::RuntimeValue>& outputs) {
  scores_.decide(tensors_of(outputs));
  if (!labels_ || scores_.kind() == ClassScores::Kind::kNone) return;
  const auto& output = outputs.at(static_cast<size_t>(scores_.output()));
  if (!output.is_tensor()) return;
  if (!metrics_.accuracy) metrics_.accuracy.emplace();
  if (scores_.kind() == ClassScores::Kind::kClasses) {
    metrics_.accuracy->add_scores(output.tensor, *labels_, first);
  } else {
    metrics_.accuracy->add_probabilities(output.tensor, *labels_, first);
  }
  metrics_.scored_output = scores_.name();
  metrics_.samples = metrics_.accuracy->samples;
}

Comparer::Comparer(const ir::Model& model, std::optional<ClassScores> scores)
    : scores_(std::move(scores)) {
  for (const ir::Value* v : model.graph->outputs()) {
    outputs_.emplace_back();
    outputs_.back().name = v->name();
  }
}

void Comparer::add(const std::vector<ir::Tensor>& reference,
                   const std::vector<ops::RuntimeValue>& other) {
  if (reference.size() != other.size() || reference.size() != outputs_.size()) {
    fail(ErrorCode::kBadInput, "the models differ in their number of outputs: {} and {}",
         reference.size(), other.size());
  }
  ++runs_;
  std::vector<const ir::Tensor*> tensors;
  for (size_t i = 0; i < reference.size(); ++i) {
    tensors.push_back(reference[i].defined() ? &reference[i] : nullptr);
    if (!reference[i].defined() || !other[i].is_tensor()) continue;
    accumulate(outputs_[i], reference[i], other[i].tensor);
  }
  if (!scores_) return;
  scores_->decide(tensors);
  if (scores_->kind() != ClassScores::Kind::kClasses) return;
  const auto scored = static_cast<size_t>(scores_->output());
  if (!reference.at(scored).defined() || !other[scored].is_tensor()) return;
  if (!agreement_) agreement_.emplace();
  agreement_->add(reference[scored], other[scored].tensor);
}

const OutputComparison* Comparer::mismatched() const {
  for (const OutputComparison& o : outputs_) {
    if (o.mismatched_special > 0) return &o;
  }
  return nullptr;
}

}  // namespace fettle::report
