// Axes, sizes and the like that an operator takes as an attribute in old versions and as an operand
// in new ones.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// An axis of a tensor that has `rank` axes after the operation; throws kBadInput out of range.
std::vector<int64_t> normalized_axes(const std::vector<int64_t>& axes, int64_t rank);
// The same, and throws kBadInput when an axis is named twice.
std::vector<int64_t> distinct_axes(const std::vector<int64_t>& axes, int64_t rank);

// The integers of an operand of rank 0 or 1 as a kernel needs them; nothing when omitted. Throws
// kBadInput for other element types and ranks.
std::optional<std::vector<int64_t>> operand_ints(const KernelContext& context, size_t operand);
// The same from an attribute; nothing when absent.
std::optional<std::vector<int64_t>> attribute_ints(const ir::Node& node, std::string_view name);

// What a rule knows of integers that may be omitted.
struct KnownInts {
  bool omitted = false;
  std::optional<Ints> values;  // nothing: not even the count is known
  // Every element, when all are numbers.
  std::optional<std::vector<int64_t>> numbers() const;
};
KnownInts known_operand(const InferContext& context, size_t operand);
KnownInts known_attribute(const ir::Node& node, std::string_view name);

}  // namespace fettle::ops
