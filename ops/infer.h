// Type and shape inference over a whole model, by the rules of the operator table.
#pragma once

#include <unordered_map>

#include "ir/model.h"
#include "ops/infer_context.h"

namespace fettle::ops {

struct InferOptions {
  // Types and shapes to assume for main-graph inputs instead of the declared ones, by name.
  std::unordered_map<std::string, ir::Type> inputs;
};

// Sets Value::type of every value of the model's graphs as far as it can be proved; declared types
// are kept where nothing better is known. An input with an initializer is taken to keep that value
// (exporters list every weight as an input) unless `options.inputs` names it. Calls to model-local
// functions are looked through. Nodes without a row leave their outputs unknown. Throws kBadInput,
// naming the node, where operands contradict the specification, or an inferred type a declared
// element type or the declared shape of a graph output.
void infer_shapes(ir::Model& model, const InferOptions& options = {});

}  // namespace fettle::ops
