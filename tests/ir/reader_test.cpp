#include <gtest/gtest.h>

#include "ir/graph.h"
#include "ir/io.h"
#include "ir/verify.h"
#include "model_bytes.h"
#include "support/text_model.h"

namespace fettle::ir {
namespace {

using fettle::test::add_attribute;
using fettle::test::add_node;
using fettle::test::empty_model;
using fettle::test::expect_refused;
using fettle::test::parse;
using fettle::test::raw_tensor;
using fettle::test::relu_model;
using onnx::AttributeProto;

Model read_with_initializer(const onnx::TensorProto& tensor) {
  onnx::ModelProto proto = relu_model();
  *proto.mutable_graph()->add_initializer() = tensor;
  return parse(proto);
}

const Tensor& initializer(const Model& model) {
  return *model.graph->constants().front()->constant();
}

TEST(Reader, ReadsValuesNodesAndTypes) {
  onnx::ModelProto proto = empty_model();
  auto& node = add_node(proto, "Add", {"x", "", "c"}, {"a", ""});
  node.set_name("adder");
  node.set_domain("custom");
  add_node(proto, "Relu", {"a"}, {"y"});
  *proto.mutable_graph()->add_initializer() = raw_tensor("c", 1, {1}, std::string(4, '\0'));
  auto& info = *proto.mutable_graph()->add_value_info();
  fettle::test::set_tensor_type(info, "a", 10, {2, 3});
  info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_param("N");
  info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(-1);
  const Model model = parse(proto);
  verify(model);
  const Node& add = *model.graph->first_node();
  EXPECT_EQ(add.name, "adder");
  EXPECT_EQ(add.domain, "custom");
  ASSERT_EQ(add.inputs().size(), 3u);
  EXPECT_EQ(add.input(0), model.graph->inputs()[0]);
  EXPECT_EQ(add.input(1), nullptr);
  EXPECT_TRUE(add.input(2)->is_constant());
  ASSERT_EQ(add.outputs().size(), 2u);
  EXPECT_EQ(add.output(1), nullptr);
  EXPECT_EQ(to_string(add.output(0)->type), "tensor(float16)[2, 3, N, ?]");
  EXPECT_EQ(model.opset(), 17);
}

TEST(Reader, ReadsEveryKindOfType) {
  onnx::ModelProto proto = relu_model();
  auto& optional = *proto.mutable_graph()->add_input();
  optional.set_name("o");
  auto& sequence = *optional.mutable_type()->mutable_optional_type()->mutable_elem_type();
  auto& tensor = *sequence.mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type();
  tensor.set_elem_type(7);
  tensor.mutable_shape()->add_dim()->set_dim_param("N");
  auto& sparse = *proto.mutable_graph()->add_input();
  sparse.set_name("s");
  sparse.mutable_type()->mutable_sparse_tensor_type()->set_elem_type(1);
  auto& map = *proto.mutable_graph()->add_input();
  map.set_name("m");
  map.mutable_type()->mutable_map_type()->set_key_type(7);
  map.mutable_type()
      ->mutable_map_type()
      ->mutable_value_type()
      ->mutable_tensor_type()
      ->set_elem_type(1);
  const Model model = parse(proto);
  const auto text = [&](size_t i) { return to_string(model.graph->inputs()[i]->type); };
  EXPECT_EQ(text(1), "optional(seq(tensor(int64)[N]))");
  EXPECT_EQ(text(2), "sparse_tensor(float)");
  EXPECT_EQ(text(3), "map(int64, tensor(float))");
}

// Every data type through its typed field, and the same elements through raw_data.
struct TypedCase {
  int type;
  std::vector<int64_t> dims;
  std::vector<int32_t> int32_data;
  std::string raw;
};

class TypedStorage : public ::testing::TestWithParam<TypedCase> {};

TEST_P(TypedStorage, EqualsRawStorage) {
  const TypedCase& c = GetParam();
  onnx::TensorProto typed = raw_tensor("t", c.type, c.dims, "");
  typed.clear_raw_data();
  for (const int32_t v : c.int32_data) typed.add_int32_data(v);
  const Model a = read_with_initializer(typed);
  const Model b = read_with_initializer(raw_tensor("t", c.type, c.dims, c.raw));
  EXPECT_TRUE(identical(initializer(a), initializer(b)));
  onnx::ModelProto written;
  ASSERT_TRUE(written.ParseFromString(serialize_model(a)));
  EXPECT_EQ(written.graph().initializer(0).SerializeAsString(), typed.SerializeAsString());
}

INSTANTIATE_TEST_SUITE_P(
    Int32Data, TypedStorage,
    ::testing::Values(TypedCase{6, {2}, {-2, 3}, std::string("\xfe\xff\xff\xff\3\0\0\0", 8)},
                      TypedCase{5, {2}, {-2, 3}, std::string("\xfe\xff\3\0", 4)},
                      TypedCase{3, {3}, {-128, 127, -1}, "\x80\x7f\xff"},
                      TypedCase{4, {1}, {65535}, "\xff\xff"}, TypedCase{2, {2}, {255, 1}, "\xff\1"},
                      TypedCase{9, {2}, {1, 0}, std::string("\1\0", 2)},
                      TypedCase{10, {1}, {0xc000}, std::string("\0\xc0", 2)},
                      TypedCase{16, {1}, {0xbf80}, "\x80\xbf"}, TypedCase{17, {1}, {0x87}, "\x87"},
                      TypedCase{18, {1}, {0x87}, "\x87"}, TypedCase{19, {1}, {0xff}, "\xff"},
                      TypedCase{20, {1}, {1}, "\1"}, TypedCase{21, {3}, {0x21, 3}, "\x21\3"},
                      TypedCase{22, {2, 2}, {0xf1, 0x2e}, "\xf1\x2e"},
                      TypedCase{23, {1}, {7}, "\7"}, TypedCase{24, {2}, {127, 254}, "\x7f\xfe"},
                      TypedCase{25, {5}, {0xe4, 1}, "\xe4\1"}, TypedCase{26, {4}, {0x1b}, "\x1b"}));

TEST(Reader, ReadsTheOtherTypedFields) {
  onnx::TensorProto t;
  t.set_name("t");
  t.add_dims(1);
  t.set_data_type(14);
  t.add_float_data(1);
  t.add_float_data(-2);
  EXPECT_EQ(initializer(read_with_initializer(t)).byte_size(), 8u);
  t.clear_float_data();
  t.set_data_type(12);
  t.add_uint64_data(4294967295u);
  EXPECT_EQ(initializer(read_with_initializer(t)).data<uint32_t>()[0], 4294967295u);
  t.set_data_type(13);
  EXPECT_EQ(initializer(read_with_initializer(t)).data<uint64_t>()[0], 4294967295u);
  t.clear_uint64_data();
  t.set_data_type(11);
  t.add_double_data(0.1);
  EXPECT_EQ(initializer(read_with_initializer(t)).data<double>()[0], 0.1);
  t.clear_double_data();
  t.set_data_type(8);
  t.add_string_data(std::string("a\0b", 3));
  EXPECT_EQ(initializer(read_with_initializer(t)).strings()[0], std::string("a\0b", 3));
}

TEST(Reader, KeepsTheKindOfEmptyLists) {
  onnx::ModelProto proto = relu_model();
  auto& node = *proto.mutable_graph()->mutable_node(0);
  node.set_domain("custom");
  add_attribute(node, "ints", AttributeProto::INTS);
  add_attribute(node, "floats", AttributeProto::FLOATS);
  add_attribute(node, "strings", AttributeProto::STRINGS);
  const Model model = parse(proto);
  const Node& read = *model.graph->first_node();
  EXPECT_TRUE(std::holds_alternative<std::vector<int64_t>>(read.find_attribute("ints")->payload));
  EXPECT_TRUE(std::holds_alternative<std::vector<float>>(read.find_attribute("floats")->payload));
  EXPECT_TRUE(
      std::holds_alternative<std::vector<std::string>>(read.find_attribute("strings")->payload));
}

TEST(Reader, TakesTheKindFromThePayloadInOldFiles) {
  onnx::ModelProto proto = relu_model();
  proto.set_ir_version(1);
  proto.clear_opset_import();
  auto& attribute = *proto.mutable_graph()->mutable_node(0)->add_attribute();
  attribute.set_name("alpha");
  attribute.set_f(2);
  const Model model = parse(proto);
  EXPECT_EQ(model.graph->first_node()->attr_float("alpha", 0), 2);
  EXPECT_EQ(model.opset(), 1);
  EXPECT_EQ(serialize_model(model), proto.SerializeAsString());
}

TEST(Reader, InputsWithDefaultsAreBothInputAndInitializer) {
  onnx::ModelProto proto = relu_model();
  proto.set_ir_version(3);
  *proto.mutable_graph()->add_initializer() = raw_tensor("x", 1, {4}, std::string(16, '\0'));
  const Model model = parse(proto);
  verify(model);
  const Value& x = *model.graph->inputs()[0];
  EXPECT_TRUE(x.is_input());
  EXPECT_TRUE(x.has_initializer());
  EXPECT_FALSE(x.is_constant());
}

TEST(Reader, SortsNodesThatAreOutOfOrder) {
  onnx::ModelProto proto = empty_model();
  add_node(proto, "Relu", {"b"}, {"y"});
  add_node(proto, "Neg", {"a"}, {"b"});
  add_node(proto, "Abs", {"x"}, {"a"});
  const Model model = parse(proto);
  verify(model);
  EXPECT_EQ(model.graph->first_node()->op_type, "Abs");
}

// If with a branch that reads `outer` of the main graph.
void add_if(onnx::ModelProto& proto, const std::string& outer) {
  auto& node = add_node(proto, "If", {"c"}, {"y"});
  for (const char* name : {"then_branch", "else_branch"}) {
    auto& graph = *add_attribute(node, name, AttributeProto::GRAPH).mutable_g();
    graph.set_name(name);
    add_node(graph.mutable_node(), "Neg", {outer}, {std::string("out_") + name});
    graph.add_output()->set_name(std::string("out_") + name);
  }
}

TEST(Reader, SortsByWhatSubgraphsRead) {
  onnx::ModelProto proto = empty_model();
  fettle::test::set_tensor_type(*proto.mutable_graph()->add_input(), "c", 9, {});
  add_if(proto, "late");
  add_node(proto, "Abs", {"x"}, {"late"});
  const Model model = parse(proto);
  verify(model);
  EXPECT_EQ(model.graph->first_node()->op_type, "Abs");
  EXPECT_EQ(model.graph->find("late")->uses().size(), 2u);
}

TEST(Reader, NamesTheNodesOfACycle) {
  onnx::ModelProto proto = empty_model();
  add_node(proto, "Relu", {"a"}, {"y"});
  add_node(proto, "Neg", {"b"}, {"a"});
  add_node(proto, "Abs", {"a"}, {"b"});
  expect_refused(proto, "cycle of 2: node 'b' (Abs), node 'a' (Neg)");
  onnx::ModelProto self = empty_model();
  add_node(self, "Add", {"x", "y"}, {"y"});
  expect_refused(self, "cycle of 1: node 'y' (Add)");
  onnx::ModelProto through_subgraph = empty_model();
  fettle::test::set_tensor_type(*through_subgraph.mutable_graph()->add_input(), "c", 9, {});
  add_if(through_subgraph, "y");
  expect_refused(through_subgraph, "cycle of 1");
}

TEST(Reader, ReadsFunctionsWithOverloads) {
  onnx::ModelProto proto = empty_model();
  proto.set_ir_version(10);
  auto* import = proto.add_opset_import();
  import->set_domain("f");
  import->set_version(1);
  auto& call = add_node(proto, "Twice", {"x"}, {"y"});
  call.set_domain("f");
  call.GetReflection()->MutableUnknownFields(&call)->AddLengthDelimited(8, "b");
  for (const char* overload : {"a", "b"}) {
    auto& function = *proto.add_functions();
    function.set_name("Twice");
    function.set_domain("f");
    function.add_opset_import()->set_version(17);
    function.add_attribute("scale");
    function.GetReflection()->MutableUnknownFields(&function)->AddLengthDelimited(13, overload);
    function.add_input("p");
    function.add_output("q");
    auto& node = add_node(function.mutable_node(), "LeakyRelu", {"p"}, {"q"});
    add_attribute(node, "alpha", AttributeProto::FLOAT).set_ref_attr_name("scale");
  }
  const Model model = parse(proto);
  verify(model);
  EXPECT_EQ(model.graph->first_node()->overload, "b");
  const Function* function = model.find_function("f", "Twice", "b");
  ASSERT_NE(function, nullptr);
  EXPECT_EQ(function, &model.functions[1]);
  EXPECT_EQ(function->attributes, (std::vector<std::string>{"scale"}));
  EXPECT_EQ(function->body->first_node()->find_attribute("alpha")->reference, "scale");
  EXPECT_EQ(serialize_model(model), proto.SerializeAsString());
}

TEST(Reader, TheLastOfRepeatedOpsetImportsCounts) {
  onnx::ModelProto proto = relu_model();
  proto.mutable_opset_import(0)->set_version(0);
  proto.add_opset_import()->set_version(13);
  const Model model = parse(proto);
  EXPECT_EQ(model.opset(), 13);
  EXPECT_EQ(serialize_model(model), proto.SerializeAsString());
}

TEST(Reader, SubgraphNamesMayHideInputsButNotEarlierResults) {
  const auto model_with = [](const std::string& inner_input, const std::string& inner_output) {
    onnx::ModelProto proto = empty_model();
    add_node(proto, "Abs", {"x"}, {"a"});
    auto& node = add_node(proto, "Loop", {"", "", "x"}, {"y"});
    auto& body = *add_attribute(node, "body", AttributeProto::GRAPH).mutable_g();
    for (const auto& name : {std::string("i"), std::string("cond"), inner_input}) {
      body.add_input()->set_name(name);
    }
    add_node(body.mutable_node(), "Identity", {"cond"}, {"cond_out"});
    add_node(body.mutable_node(), "Neg", {inner_input}, {inner_output});
    body.add_output()->set_name("cond_out");
    body.add_output()->set_name(inner_output);
    return proto;
  };
  const Model model = parse(model_with("x", "b"));
  const Graph& body = *model.graph->last_node()->attr_graph("body");
  EXPECT_EQ(body.last_node()->input(0), body.inputs()[2]);
  expect_refused(model_with("v", "a"), "already a value of an enclosing graph");
}

}  // namespace
}  // namespace fettle::ir
