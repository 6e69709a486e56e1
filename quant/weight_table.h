// Operators whose constant weights the modes without calibration quantize: one row per operator.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace fettle::quant {

struct WeightRow {
  std::string_view op;
  size_t operand = 1;  // the weight's position
  // Axis of the weight that gets one scale per index, or -1 for one scale.
  int64_t (*channel_axis)(const ir::Node&, const ir::Tensor& weight) = nullptr;
  // The runtime has a kernel that quantizes activations on the fly.
  bool dynamic = false;
  // Integer rows are looked up first and dequantized after (tables of embeddings).
  bool dequantize_result = false;
  // Why this node stays float; empty when it need not.
  std::string (*declines)(const ir::Node&, const ir::Tensor& weight) = nullptr;
};

// Null for operators without a row.
const WeightRow* find_weight_row(const ir::Node& node);

// The float32 constant in the row's position, finite and not empty; else null and why.
const ir::Value* quantizable_weight(const ir::Node& node, const WeightRow& row,
                                    std::string& reason);

}  // namespace fettle::quant
