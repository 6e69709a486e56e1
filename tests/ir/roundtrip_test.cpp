// Reading and writing is the identity, byte for byte where the bytes are canonical.
#include <gtest/gtest.h>

#include "ir/graph.h"
#include "ir/io.h"
#include "model_bytes.h"
#include "support/text_model.h"

namespace fettle::ir {
namespace {

using fettle::test::add_attribute;
using fettle::test::add_node;
using fettle::test::empty_model;
using fettle::test::parse;
using fettle::test::raw_tensor;
using fettle::test::read_bytes;
using fettle::test::relu_model;
using fettle::test::TempFolder;
using fettle::test::write_bytes;
using onnx::AttributeProto;

void add_unknown(google::protobuf::Message& message, int field, const std::string& bytes) {
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(field, bytes);
}

void expect_identity(const onnx::ModelProto& proto) {
  const std::string bytes = proto.SerializeAsString();
  const std::string written = serialize_model(parse(proto));
  onnx::ModelProto again;
  ASSERT_TRUE(again.ParseFromString(written));
  EXPECT_EQ(again.DebugString(), proto.DebugString());
  EXPECT_EQ(written, bytes);
  // Through files, where data is mapped instead of copied.
  const TempFolder folder;
  write_bytes(folder / "in.onnx", bytes);
  write_model(read_model(folder / "in.onnx"), folder / "out.onnx");
  EXPECT_EQ(read_bytes(folder / "out.onnx"), bytes);
}

TEST(RoundTrip, KeepsFieldsNewerThanTheLibraryEverywhere) {
  onnx::ModelProto proto = relu_model();
  auto& graph = *proto.mutable_graph();
  *graph.add_initializer() = raw_tensor("w", 1, {2000}, std::string(8000, 'w'));
  add_unknown(graph.mutable_node()->at(0), 9, "metadata");
  add_unknown(graph.mutable_node()->at(0), 10, "devices");
  add_unknown(*graph.mutable_initializer(0), 16, "metadata");
  add_unknown(*graph.mutable_input(0), 4, "metadata");
  add_unknown(*graph.mutable_output(0), 4, "metadata");
  add_unknown(*graph.mutable_output(0)->mutable_type(), 77, "future");
  add_unknown(graph, 16, "metadata");
  add_unknown(proto, 26, "configuration");
  add_unknown(*proto.mutable_opset_import(0), 9, "future");
  auto& attribute = add_attribute(*graph.mutable_node(0), "a", AttributeProto::INT);
  attribute.set_i(1);
  add_unknown(attribute, 99, "future");
  expect_identity(proto);
}

TEST(RoundTrip, KeepsThePresenceOfEmptyFields) {
  onnx::ModelProto proto = relu_model();
  proto.set_producer_name("");
  proto.set_model_version(0);
  auto& graph = *proto.mutable_graph();
  graph.set_doc_string("");
  graph.mutable_node(0)->set_name("");
  graph.mutable_node(0)->set_domain("");
  graph.mutable_node(0)->set_doc_string("");
  proto.mutable_opset_import(0)->set_domain("");
  add_attribute(*graph.mutable_node(0), "absent_int", AttributeProto::INT);
  add_attribute(*graph.mutable_node(0), "zero_int", AttributeProto::INT).set_i(0);
  add_attribute(*graph.mutable_node(0), "absent_string", AttributeProto::STRING);
  add_attribute(*graph.mutable_node(0), "empty_string", AttributeProto::STRING).set_s("");
  add_attribute(*graph.mutable_node(0), "absent_float", AttributeProto::FLOAT);
  add_attribute(*graph.mutable_node(0), "doc", AttributeProto::INTS).set_doc_string("about");
  expect_identity(proto);
}

TEST(RoundTrip, KeepsOrderAndRepetitionOfDeclarations) {
  onnx::ModelProto proto = empty_model();
  auto& graph = *proto.mutable_graph();
  add_node(proto, "Abs", {"x"}, {"a"});
  add_node(proto, "Relu", {"a"}, {"y"});
  *graph.add_initializer() = raw_tensor("w", 1, {1}, std::string(4, 'w'));
  *graph.add_initializer() = raw_tensor("v", 1, {1}, std::string(4, 'v'));
  fettle::test::set_tensor_type(*graph.add_value_info(), "nothing", 1, {3});
  fettle::test::set_tensor_type(*graph.add_value_info(), "w", 1, {1});
  fettle::test::set_tensor_type(*graph.add_value_info(), "v", 7, {9});  // contradicts the tensor
  fettle::test::set_tensor_type(*graph.add_value_info(), "y", 1, {4});
  fettle::test::set_tensor_type(*graph.add_value_info(), "a", 1, {4});
  fettle::test::set_tensor_type(*graph.add_value_info(), "a", 1, {5});
  graph.add_value_info()->set_name("x");
  fettle::test::set_tensor_type(*graph.add_output(), "y", 1, {7});
  fettle::test::set_tensor_type(*graph.add_output(), "x", 1, {4});
  graph.mutable_output(2)->set_doc_string("an input that is an output");
  expect_identity(proto);
}

TEST(RoundTrip, KeepsWhatIsNotModelled) {
  onnx::ModelProto proto = relu_model();
  auto& graph = *proto.mutable_graph();
  auto& quantized = *graph.add_quantization_annotation();
  quantized.set_tensor_name("y");
  quantized.add_quant_parameter_tensor_names()->set_key("SCALE_TENSOR");
  auto& training = *proto.add_training_info();
  add_node(training.mutable_algorithm()->mutable_node(), "Adam", {"undefined"}, {"updated"});
  *training.mutable_algorithm()->add_initializer() =
      raw_tensor("t", 1, {2000}, std::string(8000, 't'));
  proto.add_metadata_props()->set_key("k");
  graph.mutable_input(0)->mutable_type()->set_denotation("IMAGE");
  graph.mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_denotation("DATA_CHANNEL");
  auto& types = add_attribute(*graph.mutable_node(0), "types", AttributeProto::TYPE_PROTOS);
  types.add_type_protos()->mutable_tensor_type()->set_elem_type(1);
  add_attribute(*graph.mutable_node(0), "type", AttributeProto::TYPE_PROTO)
      .mutable_tp()
      ->mutable_opaque_type()
      ->set_domain("d");
  expect_identity(proto);
}

TEST(RoundTrip, KeepsTensorsOfEveryStorage) {
  onnx::ModelProto proto = relu_model();
  auto& graph = *proto.mutable_graph();
  *graph.add_initializer() = raw_tensor("empty_raw", 1, {0, 3}, "");
  graph.add_initializer()->CopyFrom(raw_tensor("empty", 1, {0}, ""));
  graph.mutable_initializer(1)->clear_raw_data();
  auto& floats = *graph.add_initializer();
  floats.set_name("floats");
  floats.set_data_type(1);
  floats.add_dims(5000);
  for (int i = 0; i < 5000; ++i) floats.add_float_data(static_cast<float>(i));
  auto& doubles = *graph.add_initializer();
  doubles.set_name("doubles");
  doubles.set_data_type(15);
  doubles.add_dims(600);
  for (int i = 0; i < 1200; ++i) doubles.add_double_data(i);
  auto& longs = *graph.add_initializer();
  longs.set_name("longs");
  longs.set_data_type(7);
  longs.add_dims(5000);
  for (int i = 0; i < 5000; ++i) longs.add_int64_data(-i);
  *graph.add_initializer() = raw_tensor("int4", 22, {9001}, std::string(4501, '\x12'));
  graph.mutable_initializer(5)->set_doc_string("about it");
  auto& sparse = *graph.add_sparse_initializer();
  *sparse.mutable_values() = raw_tensor("s", 1, {2000}, std::string(8000, 's'));
  std::string indices;
  for (int64_t i = 0; i < 2000; ++i) indices.append(reinterpret_cast<char*>(&i), 8);
  *sparse.mutable_indices() = raw_tensor("", 7, {2000}, indices);
  sparse.mutable_indices()->clear_name();
  sparse.add_dims(3000);
  expect_identity(proto);
}

TEST(RoundTrip, KeepsTensorsOfAttributesAndSubgraphs) {
  onnx::ModelProto proto = empty_model();
  auto& node = add_node(proto, "Custom", {"x"}, {"y"});
  node.set_domain("custom");
  *add_attribute(node, "t", AttributeProto::TENSOR).mutable_t() =
      raw_tensor("named", 2, {300, 20}, std::string(6000, 'a'));
  auto& tensors = add_attribute(node, "ts", AttributeProto::TENSORS);
  *tensors.add_tensors() = raw_tensor("", 2, {5000}, std::string(5000, 'b'));
  *tensors.add_tensors() = raw_tensor("", 2, {5}, std::string(5, 'c'));
  auto& graphs = add_attribute(node, "gs", AttributeProto::GRAPHS);
  for (int i = 0; i < 2; ++i) {
    auto& graph = *graphs.add_graphs();
    graph.set_name("inner" + std::to_string(i));
    *graph.add_initializer() = raw_tensor("w", 2, {5000}, std::string(5000, 'd'));
    graph.add_output()->set_name("w");
  }
  auto& sparse = *add_attribute(node, "s", AttributeProto::SPARSE_TENSOR).mutable_sparse_tensor();
  *sparse.mutable_values() = raw_tensor("", 2, {5000}, std::string(5000, 'e'));
  std::string indices;
  for (int64_t i = 0; i < 5000; ++i) indices.append(reinterpret_cast<char*>(&i), 8);
  *sparse.mutable_indices() = raw_tensor("", 7, {5000}, indices);
  sparse.add_dims(5000);
  expect_identity(proto);
}

// Mapped tensors can be read in place whatever their offset in the file.
TEST(RoundTrip, MisalignedDataIsReadable) {
  const TempFolder folder;
  for (int shift = 0; shift < 8; ++shift) {
    onnx::ModelProto proto = relu_model();
    proto.set_producer_name(std::string(static_cast<size_t>(shift), 'p'));
    std::vector<double> values(300000);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) + shift;
    *proto.mutable_graph()->add_initializer() =
        raw_tensor("w", 11, {300000},
                   std::string(reinterpret_cast<const char*>(values.data()), values.size() * 8));
    write_bytes(folder / "m.onnx", proto.SerializeAsString());
    const Model model = read_model(folder / "m.onnx");
    const Tensor& tensor = *model.graph->constants()[0]->constant();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes()) % 8, 0u);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), tensor.data<double>().begin()));
    EXPECT_LT(memory_in_use(), values.size() * 8);
  }
}

TEST(RoundTrip, TensorFilesOfTestData) {
  const TempFolder folder;
  const Tensor tensor = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  write_file(folder / "input_0.pb", serialize_tensor(tensor, "x"));
  EXPECT_TRUE(identical(read_tensor(folder / "input_0.pb"), tensor));
  const Tensor strings = Tensor::of_strings({2}, {"a", ""});
  write_file(folder / "input_1.pb", serialize_tensor(strings, ""));
  EXPECT_TRUE(identical(read_tensor(folder / "input_1.pb"), strings));
  Tensor large(DataType::kInt16, {100, 100});
  for (int16_t& v : large.mutable_data<int16_t>()) v = 7;
  write_file(folder / "large.pb", serialize_tensor(large, "x"));
  EXPECT_TRUE(identical(read_tensor(folder / "large.pb"), large));
}

TEST(RoundTrip, SharedModels) {
  const auto shared = fettle::test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "../shared is absent";
  const TempFolder folder;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "zoo" / "models")) {
    if (entry.path().extension() != ".onnx") continue;
    onnx::ModelProto before;
    onnx::ModelProto after;
    ASSERT_TRUE(before.ParseFromString(read_bytes(entry.path())));
    write_model(read_model(entry.path()), folder / "out.onnx");
    ASSERT_TRUE(after.ParseFromString(read_bytes(folder / "out.onnx")));
    EXPECT_EQ(before.SerializeAsString(), after.SerializeAsString()) << entry.path();
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace fettle::ir
