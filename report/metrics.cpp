#include "report/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/error.h"
#include "report/class_scores.h"

namespace fettle::report {
namespace {

// Elements as doubles, without a copy for float tensors.
template <typename Visit>
void for_each_pair(const ir::Tensor& a, const ir::Tensor& b, Visit&& visit) {
  if (a.type() == ir::DataType::kFloat && b.type() == ir::DataType::kFloat) {
    const auto x = a.data<float>();
    const auto y = b.data<float>();
    for (size_t i = 0; i < x.size(); ++i) visit(double{x[i]}, double{y[i]});
    return;
  }
  for (int64_t i = 0; i < a.size(); ++i) {
    visit(ir::element_as_double(a, i), ir::element_as_double(b, i));
  }
}

ScoreShape require_scores(const ir::Tensor& t) {
  const auto shape = score_shape(t);
  if (!shape) {
    fail(ErrorCode::kBadInput, "an output of shape {} holds no class scores", ir::to_string(t.dims()));
  }
  return *shape;
}

void require_labels(const std::vector<int64_t>& labels, int64_t first, int64_t rows) {
  if (first < 0 || first + rows > static_cast<int64_t>(labels.size())) {
    fail(ErrorCode::kBadInput, "there are {} labels for more samples than that", labels.size());
  }
}

bool same_special_values(const ir::Tensor& a, const ir::Tensor& b, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const double x = ir::element_as_double(a, i);
    const double y = ir::element_as_double(b, i);
    if (std::isfinite(x) && std::isfinite(y)) continue;
    if (!((std::isnan(x) && std::isnan(y)) || x == y)) return false;
  }
  return true;
}

}  // namespace

double OutputComparison::sqnr_db() const {
  if (mismatched_special > 0) return -std::numeric_limits<double>::infinity();
  if (error_energy == 0) return std::numeric_limits<double>::infinity();
  if (reference_energy == 0) return -std::numeric_limits<double>::infinity();
  return 10 * std::log10(reference_energy / error_energy);
}

double OutputComparison::mean_squared_error() const {
  if (mismatched_special > 0) return std::numeric_limits<double>::infinity();
  return finite > 0 ? error_energy / static_cast<double>(finite) : 0;
}

double OutputComparison::cosine() const {
  if (mismatched_special > 0) return 0;
  if (reference_energy == 0 && other_energy == 0) return 1;
  if (reference_energy == 0 || other_energy == 0) return 0;
  return product / std::sqrt(reference_energy) / std::sqrt(other_energy);
}

void accumulate(OutputComparison& c, const ir::Tensor& reference, const ir::Tensor& other) {
  if (reference.dims() != other.dims()) {
    fail(ErrorCode::kBadInput, "output '{}' has shape {} in one model and {} in the other", c.name,
         ir::to_string(reference.dims()), ir::to_string(other.dims()));
  }
  if (reference.type() == ir::DataType::kString) {
    fail(ErrorCode::kUnsupported, "output '{}' holds strings, which are not compared", c.name);
  }
  for_each_pair(reference, other, [&c](double r, double o) {
    ++c.elements;
    if (!std::isfinite(r) || !std::isfinite(o)) {
      const bool equal = (std::isnan(r) && std::isnan(o)) || r == o;
      if (!equal) {
        ++c.mismatched_special;
        c.max_abs = c.max_rel = std::numeric_limits<double>::infinity();
      }
      return;
    }
    ++c.finite;
    const double error = o - r;
    c.max_abs = std::max(c.max_abs, std::abs(error));
    c.max_rel = std::max(c.max_rel, std::abs(error) / std::max(std::abs(r), 1e-12));
    if (c.finite == 1) c.reference_min = c.reference_max = r;
    c.reference_min = std::min(c.reference_min, r);
    c.reference_max = std::max(c.reference_max, r);
    c.reference_energy += r * r;
    c.other_energy += o * o;
    c.error_energy += error * error;
    c.product += r * o;
  });
}

std::vector<int64_t> top_classes(const ir::Tensor& scores) {
  const auto [rows, classes] = require_scores(scores);
  std::vector<int64_t> best(static_cast<size_t>(rows), -1);
  for (int64_t row = 0; row < rows; ++row) {
    double highest = -std::numeric_limits<double>::infinity();
    int64_t top = -1;
    bool nan = false;
    for (int64_t c = 0; c < classes; ++c) {
      const double value = ir::element_as_double(scores, row * classes + c);
      nan |= std::isnan(value);
      if (value > highest) {
        highest = value;
        top = c;
      }
    }
    if (!nan && std::isfinite(highest)) best[static_cast<size_t>(row)] = top;
  }
  return best;
}

void AccuracyCounter::add_scores(const ir::Tensor& output, const std::vector<int64_t>& labels,
                                 int64_t first) {
  const auto [rows, count] = require_scores(output);
  require_labels(labels, first, rows);
  classes = count;
  const std::vector<int64_t> top = top_classes(output);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t label = labels[static_cast<size_t>(first + row)];
    ++samples;
    if (top[static_cast<size_t>(row)] < 0 || label < 0 || label >= count) continue;
    const double own = ir::element_as_double(output, row * count + label);
    int64_t above = 0;  // classes that rank before the label; equal scores rank by index
    for (int64_t c = 0; c < count; ++c) {
      const double value = ir::element_as_double(output, row * count + c);
      if (value > own || (value == own && c < label)) ++above;
    }
    top1 += above < 1 ? 1 : 0;
    top5 += above < 5 ? 1 : 0;
  }
}

void AccuracyCounter::add_probabilities(const ir::Tensor& output, const std::vector<int64_t>& labels,
                                        int64_t first) {
  require_labels(labels, first, output.size());
  classes = 2;
  for (int64_t row = 0; row < output.size(); ++row) {
    const double value = ir::element_as_double(output, row);
    ++samples;
    if (!std::isfinite(value)) continue;
    const bool hit = (value > 0.5) == (labels[static_cast<size_t>(first + row)] != 0);
    top1 += hit ? 1 : 0;
    top5 += 1;
  }
}

void AgreementCounter::add(const ir::Tensor& reference, const ir::Tensor& other) {
  const auto [count, classes] = require_scores(reference);
  if (other.dims() != reference.dims()) {
    fail(ErrorCode::kBadInput, "class scores have shape {} in one model and {} in the other",
         ir::to_string(reference.dims()), ir::to_string(other.dims()));
  }
  const auto a = top_classes(reference);
  const auto b = top_classes(other);
  for (int64_t row = 0; row < count; ++row) {
    const auto i = static_cast<size_t>(row);
    const bool agree = a[i] == b[i] && (a[i] >= 0 || same_special_values(reference, other, row * classes,
                                                                          (row + 1) * classes));
    agreeing += agree ? 1 : 0;
  }
  rows += count;
}

}  // namespace fettle::report
