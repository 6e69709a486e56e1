#include "calib/shape_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace fettle::calib {
namespace {

// Extents of one sample: everything behind axis 0. Unknown ones are -1.
ir::Dims sample_extents(const ir::Shape& shape) {
  ir::Dims extents;
  for (size_t axis = 1; axis < shape.size(); ++axis) extents.push_back(shape[axis].value);
  return extents;
}

// An order of axes that turns `from` into `to`, as the arguments of numpy.transpose with axis 0
// kept; empty when there is none. Of several (equal extents) the first.
std::string permutation(const ir::Dims& from, const ir::Dims& to) {
  std::string order = "0";
  std::vector<bool> used(from.size(), false);
  for (const int64_t extent : to) {
    size_t axis = 0;
    while (axis < from.size() && (used[axis] || from[axis] != extent)) ++axis;
    if (axis == from.size()) return {};
    used[axis] = true;
    order += fmt::format(", {}", axis + 1);
  }
  return order;
}

}  // namespace

bool dims_fit(const ir::Shape& shape, const ir::Dims& dims, size_t begin) {
  if (shape.size() != dims.size()) return false;
  for (size_t axis = begin; axis < dims.size(); ++axis) {
    if (shape[axis].known() && shape[axis].value != dims[axis]) return false;
  }
  return true;
}

std::string sample_shape(const ir::Shape& shape) {
  ir::Shape expected = shape;
  if (expected.empty()) expected.emplace_back();
  expected[0] = ir::Dim::named("samples");
  return ir::to_string(expected);
}

std::string shape_hint(const ir::Shape& shape, const ir::Dims& dims) {
  const ir::Dims wanted = sample_extents(shape);
  const bool known = std::find(wanted.begin(), wanted.end(), -1) == wanted.end();
  if (!known || wanted.empty() || dims.empty()) return {};
  if (dims == wanted) return "; it seems to be a single sample: add a first axis for the samples";
  const ir::Dims found(dims.begin() + 1, dims.end());
  if (found.size() == wanted.size()) {
    const std::string order = permutation(found, wanted);
    if (!order.empty()) {
      return fmt::format("; the axes seem to be in another order: try array.transpose({})", order);
    }
  }
  int64_t wanted_count = 1, found_count = 1;
  for (const int64_t extent : wanted) {
    if (__builtin_mul_overflow(wanted_count, extent, &wanted_count)) return {};
  }
  for (const int64_t extent : found) {
    if (__builtin_mul_overflow(found_count, extent, &found_count)) return {};
  }
  if (wanted_count != found_count) return {};
  std::string target = "-1";
  for (const int64_t extent : wanted) target += fmt::format(", {}", extent);
  return fmt::format("; a sample has as many elements as needed: try array.reshape({})", target);
}

}  // namespace fettle::calib
