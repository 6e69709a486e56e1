// ONNX's textual syntax, for people and for tests.
#pragma once

#include <string>

#include "ir/model.h"

namespace fettle::ir {

// The graph as ONNX text; tensors of more than `max_elements` are abbreviated as {...}.
std::string to_text(const Graph& graph, int64_t max_elements = 16);
std::string to_text(const Model& model, int64_t max_elements = 16);

}  // namespace fettle::ir
