// The operator table: what every operator means. One row per (domain, operator, since-version) whose
// semantics differ; rows live with their kernels in one file per family and are listed in table.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Facts that other folders ask for, combined with |.
enum Fact : uint32_t {
  kNoFacts = 0,
  kElementwise = 1u << 0,    // output element i depends on (broadcast) input elements i only
  kDataMovement = 1u << 1,   // outputs hold input elements unchanged, no arithmetic
  kRandom = 1u << 2,         // not deterministic without a seed
  kControlFlow = 1u << 3,    // runs subgraphs
  kQuantization = 1u << 4,   // QuantizeLinear, DequantizeLinear and their like: never folded
};

using InferRule = void (*)(InferContext&);
using Kernel = void (*)(KernelContext&);
// Multiply-accumulates of one evaluation. Shapes of omitted operands are empty.
using MacRule = int64_t (*)(const ir::Node&, const std::vector<ir::Dims>& inputs,
                            const std::vector<ir::Dims>& outputs);

struct OpDef {
  std::string_view domain;  // "" is ai.onnx
  std::string_view name;
  int since_version;
  InferRule infer;
  Kernel kernel;
  uint32_t facts = kNoFacts;
  uint32_t shape_inputs = 0;  // bit i: operand i is a shape, axes, sizes or the like, not data
  MacRule macs = nullptr;     // null: none worth counting
};

// The row for this operator in a model that imports `opset` of the domain: the highest
// since-version not above it. Null when unknown (or only known in later versions).
const OpDef* find_op(std::string_view domain, std::string_view name, int64_t opset);
// The row of a node, looked up with the opset of its domain. Null when unknown.
const OpDef* find_op(const ir::Node& node, int64_t opset);
// All rows, sorted by domain, name and version.
std::span<const OpDef> all_ops();
inline bool has_fact(const OpDef* op, Fact fact) { return op != nullptr && (op->facts & fact) != 0; }

}  // namespace fettle::ops
