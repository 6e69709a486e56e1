// Building blocks of the rewriters: constants, QuantizeLinear and DequantizeLinear nodes, named as
// ONNX Runtime's quantizer names them.
#pragma once

#include <string>

#include "ir/graph.h"
#include "quant/plan.h"

namespace fettle::quant {

// Scale and zero point initializers: rank 0 per tensor, [C] per channel.
struct ParamValues {
  ir::Value* scale = nullptr;
  ir::Value* zero_point = nullptr;
};
// `<base>_scale` and `<base>_zero_point`.
ParamValues add_params(ir::Graph& graph, const std::string& base, const QuantParams& params);

// Stores a constant as `<base>_quantized` and returns the output of the DequantizeLinear that gives
// it back, `<base>_DequantizeLinear_Output`. The node stands before `before`.
ir::Value& add_dequantized_constant(ir::Graph& graph, const std::string& base,
                                    const ir::Tensor& quantized, const QuantParams& params,
                                    ir::Node* before);

// A QuantizeLinear that reads `value` and a DequantizeLinear after it, right after the producer of
// `value` (at the front of the graph for inputs). Returns the output of the latter.
ir::Value& add_pair(ir::Graph& graph, ir::Value& value, const QuantParams& params);

// Makes the users of the only output of `node` read `with`, which takes its name, and erases
// `node`. Throws kUnsupported when an enclosing graph lists the output.
void substitute(ir::Graph& graph, ir::Node& node, ir::Value& with);
// Erases a constant that nothing reads any more.
void erase_if_unused(ir::Graph& graph, ir::Value& value);
// The value of a plan's name, or kBadInput.
ir::Value& find_value(ir::Graph& graph, const std::string& name);

}  // namespace fettle::quant
