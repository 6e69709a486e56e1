// Files made to exhaust memory or time: each gives an Error.
#include <gtest/gtest.h>

#include "hostile_models.h"
#include "ir/graph.h"
#include "ir/io.h"

namespace fettle::ir {
namespace {

using fettle::test::add_attribute;
using fettle::test::add_function;
using fettle::test::add_node;
using fettle::test::empty_model;
using fettle::test::expect_error;
using fettle::test::expect_refused;
using fettle::test::nested;
using fettle::test::parse;
using fettle::test::relu_model;
using onnx::AttributeProto;

TEST(HostileSizes, NestingIsLimited) {
  EXPECT_NO_THROW(parse(nested(30)));
  expect_refused(nested(33), "nested too deeply", ErrorCode::kLimit);
  expect_refused(nested(60), "nested too deeply", ErrorCode::kLimit);
  // Far deeper, by hand: sequences of sequences.
  onnx::TypeProto type;
  type.mutable_tensor_type()->set_elem_type(1);
  for (int i = 0; i < 3000; ++i) {
    onnx::TypeProto outer;
    *outer.mutable_sequence_type()->mutable_elem_type() = std::move(type);
    type = std::move(outer);
  }
  onnx::ModelProto proto = relu_model();
  *proto.mutable_graph()->mutable_input(0)->mutable_type() = std::move(type);
  expect_refused(proto, "nested too deeply", ErrorCode::kLimit);
}

TEST(HostileSizes, CountsAreLimited) {
  // 10 MB of empty nodes take 77 times as much memory once parsed.
  std::string graph;
  for (int i = 0; i < 1000001; ++i) graph += std::string("\x0a\0", 2);
  const auto with_graph = [&](const std::string& content) {
    onnx::ModelProto shell = relu_model();
    shell.clear_graph();
    std::string all = shell.SerializeAsString() + "\x3a";
    for (size_t n = content.size();; n >>= 7) {
      all.push_back(static_cast<char>((n & 0x7f) | (n >= 0x80 ? 0x80 : 0)));
      if (n < 0x80) break;
    }
    return all + content;
  };
  expect_error(
      "nodes", [&] { parse_model(with_graph(graph)); }, ErrorCode::kLimit);
  onnx::ModelProto attributes = relu_model();
  for (int i = 0; i < 1001; ++i) {
    add_attribute(*attributes.mutable_graph()->mutable_node(0), "a" + std::to_string(i),
                  AttributeProto::INT);
  }
  expect_refused(attributes, "attributes on one node", ErrorCode::kLimit);
  onnx::ModelProto functions = relu_model();
  for (int i = 0; i < 10001; ++i) functions.add_functions()->set_name(std::to_string(i));
  expect_refused(functions, "functions", ErrorCode::kLimit);
  onnx::ModelProto name = relu_model();
  name.mutable_graph()->mutable_node(0)->set_name(std::string(70000, 'n'));
  expect_refused(name, "bytes in one name", ErrorCode::kLimit);
  onnx::ModelProto metadata = relu_model();
  for (int i = 0; i < 100001; ++i) metadata.add_metadata_props();
  expect_refused(metadata, "metadata", ErrorCode::kLimit);
}

TEST(HostileSizes, ParsingStaysWithinTheMemoryLimit) {
  onnx::ModelProto proto = relu_model();
  for (int i = 0; i < 100000; ++i) proto.mutable_graph()->mutable_node(0)->add_input();
  const size_t limit = memory_limit();
  set_memory_limit(1 << 20);
  expect_refused(proto, "--max-memory", ErrorCode::kLimit);
  set_memory_limit(limit);
}

TEST(HostileSizes, LongChainsTakeLinearTime) {
  constexpr int kNodes = 1000000;
  onnx::ModelProto proto = empty_model();
  proto.mutable_graph()->mutable_node()->Reserve(kNodes);
  for (int i = kNodes - 1; i >= 0; --i) {  // backwards, so that sorting has to work
    add_node(proto, "Relu", {i == 0 ? "x" : "v" + std::to_string(i)},
             {i + 1 == kNodes ? "y" : "v" + std::to_string(i + 1)});
  }
  const Model model = parse(proto);
  EXPECT_EQ(model.graph->node_count(), static_cast<size_t>(kNodes));
  EXPECT_EQ(model.graph->first_node()->input(0)->name(), "x");
  EXPECT_EQ(model.graph->last_node()->output(0)->name(), "y");
}

TEST(HostileFunctions, RecursionIsRefused) {
  onnx::ModelProto direct = relu_model();
  add_function(direct, "A", "A", 1, "f");
  expect_refused(direct, "must not be recursive: function 'f.A' calls function 'f.A'");
  onnx::ModelProto mutual = relu_model();
  add_function(mutual, "A", "B", 1, "f");
  add_function(mutual, "B", "A", 1, "f");
  expect_refused(mutual, "must not be recursive");
  onnx::ModelProto hidden = relu_model();  // the call stands in a subgraph
  auto& function = add_function(hidden, "A", "If", 1, "");
  auto& branch =
      *add_attribute(*function.mutable_node(0), "then_branch", AttributeProto::GRAPH).mutable_g();
  add_node(branch.mutable_node(), "A", {"p0"}, {"inner"}).set_domain("f");
  branch.add_output()->set_name("inner");
  expect_refused(hidden, "must not be recursive");
  onnx::ModelProto twice = relu_model();
  add_function(twice, "A", "Relu", 1, "");
  add_function(twice, "A", "Relu", 1, "");
  expect_refused(twice, "given twice");
}

TEST(HostileFunctions, ExponentialInliningIsRefused) {
  onnx::ModelProto proto = relu_model();
  for (int i = 0; i < 70; ++i) {
    add_function(proto, "F" + std::to_string(i), "F" + std::to_string(i + 1), 2, "f");
  }
  add_function(proto, "F70", "Relu", 1, "");
  expect_refused(proto, "once its calls are inlined", ErrorCode::kLimit);
  onnx::ModelProto deep = relu_model();  // a long chain of calls is fine
  for (int i = 0; i < 9000; ++i) {
    add_function(deep, "F" + std::to_string(i), "F" + std::to_string(i + 1), 1, "f");
  }
  EXPECT_NO_THROW(parse(deep));
}

TEST(HostileFunctions, BodiesAreChecked) {
  onnx::ModelProto proto = relu_model();
  add_function(proto, "A", "Relu", 1, "").set_output(0, "undefined");
  expect_refused(proto, "is not produced");
  onnx::ModelProto outer = relu_model();  // names of the main graph are not visible
  add_function(outer, "A", "Relu", 1, "").mutable_node(0)->set_input(0, "x");
  expect_refused(outer, "'x' is neither");
  onnx::ModelProto imports = relu_model();
  add_function(imports, "A", "Relu", 1, "").clear_opset_import();
  expect_refused(imports, "imports no opset");
}

}  // namespace
}  // namespace fettle::ir
