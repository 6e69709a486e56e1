// Models that several tests of hostile files share.
#pragma once

#include <string>

#include "model_bytes.h"

namespace fettle::test {

// If nodes nested `depth` deep.
inline onnx::ModelProto nested(int depth) {
  onnx::ModelProto proto = empty_model();
  onnx::GraphProto* graph = proto.mutable_graph();
  for (int i = 0; i < depth; ++i) {
    const std::string output = graph->output(0).name();
    auto& node = add_node(graph->mutable_node(), "If", {"x"}, {output});
    graph = add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g();
    graph->add_output()->set_name("o" + std::to_string(i));
  }
  add_node(graph->mutable_node(), "Abs", {"x"}, {graph->output(0).name()});
  return proto;
}

// A function f.`name` that chains `calls` nodes of `op`.
inline onnx::FunctionProto& add_function(onnx::ModelProto& proto, const std::string& name,
                                         const std::string& op, int calls,
                                         const std::string& domain) {
  auto& function = *proto.add_functions();
  function.set_name(name);
  function.set_domain("f");
  function.add_opset_import()->set_version(17);
  function.add_input("p0");
  for (int i = 0; i < calls; ++i) {
    add_node(function.mutable_node(), op, {"p" + std::to_string(i)}, {"p" + std::to_string(i + 1)})
        .set_domain(domain);
  }
  function.add_output("p" + std::to_string(calls));
  return function;
}

}  // namespace fettle::test
