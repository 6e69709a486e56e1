// Attributes that name an element type by its ONNX number.
#pragma once

#include <algorithm>
#include <string_view>

#include "ir/error.h"
#include "ir/graph.h"

namespace fettle::ops {

// The type, or `fallback` when the attribute is absent. Throws kBadInput for numbers that are none.
inline ir::DataType type_attribute(const ir::Node& node, std::string_view name,
                                   ir::DataType fallback) {
  if (!node.has_attribute(name)) return fallback;
  const int64_t number = node.attr_int(name, 0);
  const auto type =
      ir::data_type_from_onnx(static_cast<int32_t>(std::clamp<int64_t>(number, 0, 1000)));
  if (!type) fail(ErrorCode::kBadInput, "attribute '{}': {} is no element type", name, number);
  return *type;
}

}  // namespace fettle::ops
