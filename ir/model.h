// A model: the main graph and what surrounds it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace fettle::ir {

// A model-local function. The body's inputs are untyped.
struct Function {
  std::string domain;
  std::string name;
  std::string overload;
  std::vector<std::string> attributes;                           // without a default
  std::vector<std::pair<std::string, int64_t>> opset_imports;    // domain, version
  std::unique_ptr<Graph> body;
  std::string carry;  // serialized FunctionProto without body, inputs and outputs
};

struct Model {
  int64_t ir_version = 8;
  std::vector<std::pair<std::string, int64_t>> opset_imports;  // domain, version; in file order
  std::unique_ptr<Graph> graph;
  std::vector<Function> functions;
  std::string carry;  // serialized ModelProto without graph and functions
  std::string path;   // where it was read from; empty when made in memory
  std::vector<std::string> data_files;  // paths of the external data that was read, sorted

  // Version of the domain ("" and "ai.onnx" are the same); 0 when not imported.
  int64_t opset(std::string_view domain = "") const;
  void set_opset(const std::string& domain, int64_t version);
  // The function with this identity, or null.
  const Function* find_function(std::string_view domain, std::string_view name,
                                std::string_view overload) const;
};

// Lets the pages of all constants that are mapped from a file leave memory until they are read again.
void release_constants(const Model& model);

// A deep copy; constants are shared. (clone.cpp)
Model clone(const Model& model);
// A deep copy of `graph` as a subgraph of `parent`; names of outer values resolve in `parent`.
std::unique_ptr<Graph> clone(const Graph& graph, Graph* parent);

}  // namespace fettle::ir
