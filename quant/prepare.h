// The form of a model that quantization starts from.
#pragma once

#include "ir/model.h"

namespace fettle::quant {

// Brings a float model into the form that make_plan() and apply_plan() work on, without changing
// what it computes; both call it themselves, and a second call changes nothing. Calibrating the
// prepared model gives ranges for every value that the quantizer may ask for.
// * the default domain's opset is raised to at least `min_opset` (quant/opset_upgrade.h);
// * float initializers that are also inputs become constants (before IR version 4, which demanded
//   the input, those of other types too): a quantized weight cannot be overridden;
// * alpha and beta of a Gemm are multiplied into its constant operands;
// * float Constant nodes of the main graph become initializers.
// Throws kUnsupported naming a node that cannot be raised.
void prepare(ir::Model& model, int64_t min_opset = 13);

}  // namespace fettle::quant
