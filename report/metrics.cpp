#include "report/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/error.h"

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

// Class scores as [rows, classes] when the tensor has that form: any axes of 1 around them.
bool class_matrix(const ir::Tensor& t, int64_t& rows, int64_t& classes) {
  if (t.rank() < 2 || !ir::is_floating(t.type())) return false;
  rows = t.dim(0);
  classes = 1;
  for (size_t i = 1; i < t.rank(); ++i) {
    if (t.dim(i) == 1) continue;
    if (classes != 1) return false;
    classes = t.dim(i);
  }
  return classes >= 2;
}

}  // namespace

double OutputComparison::sqnr_db() const {
  if (error_energy == 0) return std::numeric_limits<double>::infinity();
  if (reference_energy == 0) return -std::numeric_limits<double>::infinity();
  return 10 * std::log10(reference_energy / error_energy);
}

double OutputComparison::cosine() const {
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
    const double error = o - r;
    c.max_abs = std::max(c.max_abs, std::abs(error));
    c.max_rel = std::max(c.max_rel, std::abs(error) / std::max(std::abs(r), 1e-12));
    if (c.elements == 1) c.reference_min = c.reference_max = r;
    c.reference_min = std::min(c.reference_min, r);
    c.reference_max = std::max(c.reference_max, r);
    c.reference_energy += r * r;
    c.other_energy += o * o;
    c.error_energy += error * error;
    c.product += r * o;
  });
}

bool looks_like_classes(const ir::Tensor& logits) {
  int64_t rows = 0;
  int64_t classes = 0;
  return class_matrix(logits, rows, classes);
}

std::vector<int64_t> top_classes(const ir::Tensor& logits) {
  int64_t rows = 0;
  int64_t classes = 0;
  if (!class_matrix(logits, rows, classes)) {
    fail(ErrorCode::kBadInput, "an output of shape {} holds no class scores",
         ir::to_string(logits.dims()));
  }
  std::vector<int64_t> best(static_cast<size_t>(rows), 0);
  for (int64_t row = 0; row < rows; ++row) {
    double highest = -std::numeric_limits<double>::infinity();
    for (int64_t c = 0; c < classes; ++c) {
      const double value = ir::element_as_double(logits, row * classes + c);
      if (value > highest) {
        highest = value;
        best[static_cast<size_t>(row)] = c;
      }
    }
  }
  return best;
}

bool AccuracyCounter::add(const ir::Tensor& output, const std::vector<int64_t>& labels,
                          int64_t first) {
  int64_t rows = 0;
  int64_t count = 0;
  const bool scores = class_matrix(output, rows, count);
  const bool binary = !scores && ir::is_floating(output.type()) && output.rank() >= 1 &&
                      output.size() == output.dim(0);
  if (binary) rows = output.dim(0);
  if (!scores && !binary) return false;
  if (first + rows > static_cast<int64_t>(labels.size())) {
    fail(ErrorCode::kBadInput, "there are {} labels for more samples than that", labels.size());
  }
  classes = scores ? count : 2;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t label = labels[static_cast<size_t>(first + row)];
    ++samples;
    if (binary) {
      const bool hit = (ir::element_as_double(output, row) > 0.5) == (label != 0);
      top1 += hit ? 1 : 0;
      top5 += 1;
      continue;
    }
    if (label < 0 || label >= count) continue;  // outside the model's classes: never right
    const double own = ir::element_as_double(output, row * count + label);
    int64_t above = 0;  // classes that rank before the label; equal scores rank by index
    for (int64_t c = 0; c < count; ++c) {
      const double value = ir::element_as_double(output, row * count + c);
      if (value > own || (value == own && c < label)) ++above;
    }
    if (std::isnan(own)) continue;
    top1 += above < 1 ? 1 : 0;
    top5 += above < 5 ? 1 : 0;
  }
  return true;
}

bool AgreementCounter::add(const ir::Tensor& reference, const ir::Tensor& other) {
  if (!looks_like_classes(reference) || !looks_like_classes(other)) return false;
  const auto a = top_classes(reference);
  const auto b = top_classes(other);
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) agreeing += a[i] == b[i] ? 1 : 0;
  rows += static_cast<int64_t>(a.size());
  return true;
}

}  // namespace fettle::report
