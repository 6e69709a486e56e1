// What float16 means for operators that are not simply generic in their element type.
#pragma once

#include <cstdint>
#include <string_view>

#include "ir/graph.h"

namespace fettle::quant {

struct Fp16Row {
  std::string_view op;        // of the default domain
  int64_t float16_since = 1;  // opset from which the standard allows float16; INT64_MAX: never
  uint32_t float_operands =
      0;                  // operands that stay float32 by the standard, or for their precision
  bool any_type = false;  // takes its operand in whatever type it is; its result is not float
  std::string_view type_attribute = {};    // attribute that names the element type of the output
  std::string_view tensor_attribute = {};  // attribute that holds the elements of the output
  std::string_view blocked = {};           // why the operator stays float32
};

// Null for operators without anything special: they convert.
const Fp16Row* find_fp16_row(const ir::Node& node);

}  // namespace fettle::quant
