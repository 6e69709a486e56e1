#include "ops/axes.h"

#include <algorithm>

#include "ops/dims.h"

namespace fettle::ops {

std::vector<int64_t> normalized_axes(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<int64_t> result;
  result.reserve(axes.size());
  for (const int64_t axis : axes) result.push_back(normalized_axis(axis, rank));
  return result;
}

std::vector<int64_t> distinct_axes(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<int64_t> result = normalized_axes(axes, rank);
  std::vector<int64_t> sorted = result;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) fail(ErrorCode::kBadInput, "axis {} is named twice", *twice);
  return result;
}

std::optional<std::vector<int64_t>> operand_ints(const KernelContext& context, size_t operand) {
  if (!context.has(operand)) return std::nullopt;
  const ir::Tensor& tensor = context.input(operand);
  if (tensor.rank() > 1 || !ir::is_integer(tensor.type())) {
    fail(ErrorCode::kBadInput, "input {}: expected a list of integers, found {}{}", operand,
         ir::data_type_name(tensor.type()), ir::to_string(tensor.dims()));
  }
  return ir::elements_as_ints(tensor);
}

std::optional<std::vector<int64_t>> attribute_ints(const ir::Node& node, std::string_view name) {
  if (!node.has_attribute(name)) return std::nullopt;
  return node.attr_ints(name);
}

std::optional<std::vector<int64_t>> KnownInts::numbers() const {
  if (!values) return std::nullopt;
  std::vector<int64_t> result;
  for (const ir::Dim& d : *values) {
    const auto value = int_value(d);
    if (!value) return std::nullopt;
    result.push_back(*value);
  }
  return result;
}

KnownInts known_operand(const InferContext& context, size_t operand) {
  if (!context.has(operand)) return {true, std::nullopt};
  return {false, context.ints(operand)};
}

KnownInts known_attribute(const ir::Node& node, std::string_view name) {
  const auto values = attribute_ints(node, name);
  if (!values) return {true, std::nullopt};
  Ints ints;
  for (const int64_t value : *values) ints.push_back(int_of(value));
  return {false, std::move(ints)};
}

}  // namespace fettle::ops
