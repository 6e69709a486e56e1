// Files made to crash or deceive the loader: each gives an Error.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ir/graph.h"
#include "ir/io.h"
#include "model_bytes.h"
#include "support/text_model.h"

namespace fettle::ir {
namespace {

namespace fs = std::filesystem;
using fettle::test::add_attribute;
using fettle::test::add_node;
using fettle::test::expect_error;
using fettle::test::expect_refused;
using fettle::test::parse;
using fettle::test::raw_tensor;
using fettle::test::relu_model;
using fettle::test::TempFolder;
using fettle::test::write_bytes;
using onnx::AttributeProto;

void expect_tensor_refused(const onnx::TensorProto& tensor, const std::string& part,
                           ErrorCode code = ErrorCode::kBadInput) {
  onnx::ModelProto proto = relu_model();
  *proto.mutable_graph()->add_initializer() = tensor;
  expect_refused(proto, part, code);
}

TEST(HostileFiles, SayWhatTheyAre) {
  const TempFolder folder;
  const auto refused = [&](const std::string& bytes, const std::string& part) {
    write_bytes(folder / "m.onnx", bytes);
    expect_error(part, [&] { read_model(folder / "m.onnx"); });
    expect_error("file " + (folder / "m.onnx").string(), [&] { read_model(folder / "m.onnx"); });
  };
  refused("", "the file is empty");
  refused("hello, this is no model\n", "found a text file");
  refused("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer");
  refused(std::string("PK\3\4", 4) + "rest", "zip archive");
  refused("\x89HDF\r\n\x1a\n", "HDF5");
  refused(std::string("\x1c\0\0\0TFL3", 8), "LiteRT");
  const std::string model = relu_model().SerializeAsString();
  refused(model.substr(0, model.size() - 3), "malformed");
  refused(model + "\x0a", "malformed");
  expect_error("cannot be opened", [&] { read_model(folder / "absent"); });
  expect_error("a folder", [&] { read_model(folder.path()); });
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  expect_error("regular file", [&] { read_model(folder / "pipe"); });
  expect_error("regular file", [&] { read_model("/dev/zero"); });
}

TEST(HostileFiles, HeadersAreChecked) {
  onnx::ModelProto proto = relu_model();
  proto.clear_graph();
  expect_refused(proto, "no graph");
  proto = relu_model();
  proto.clear_ir_version();
  expect_refused(proto, "ir_version");
  proto.set_ir_version(-5);
  expect_refused(proto, "ir_version");
  proto = relu_model();
  proto.clear_opset_import();
  expect_refused(proto, "imports no opset");
  proto.add_opset_import()->set_domain("custom");
  expect_refused(proto, "imports no opset");
  proto = relu_model();
  proto.set_ir_version(99);
  EXPECT_NO_THROW(parse(proto));
}

TEST(HostileGraphs, NamesAreCheckedForSsa) {
  onnx::ModelProto proto = relu_model();
  add_node(proto, "Abs", {"x"}, {"y"});
  expect_refused(proto, "already the name of another value");
  proto = relu_model();
  add_node(proto, "Abs", {"x"}, {"x"});
  expect_refused(proto, "already the name of another value");
  proto = relu_model();
  proto.mutable_graph()->add_input()->set_name("x");
  expect_refused(proto, "more than once");
  proto = relu_model();
  for (int i = 0; i < 2; ++i) {
    *proto.mutable_graph()->add_initializer() = raw_tensor("w", 1, {1}, "1234");
  }
  expect_refused(proto, "given twice");
  proto = relu_model();
  proto.mutable_graph()->mutable_node(0)->set_input(0, "undefined");
  expect_refused(proto, "'undefined' is neither");
  proto = relu_model();
  proto.mutable_graph()->mutable_output(0)->set_name("undefined");
  expect_refused(proto, "is not produced");
  proto = relu_model();
  proto.mutable_graph()->mutable_node(0)->clear_op_type();
  expect_refused(proto, "names no operator");
  proto = relu_model();
  *proto.mutable_graph()->add_initializer() = raw_tensor("", 1, {1}, "1234");
  expect_refused(proto, "has no name");
}

TEST(HostileGraphs, NamesCannotDriveTheTerminal) {
  onnx::ModelProto proto = relu_model();
  proto.mutable_graph()->mutable_node(0)->set_input(0, "\x1b[2Jcleared");
  expect_refused(proto, "'\\x1b[2Jcleared'");
  proto.mutable_graph()->mutable_node(0)->set_input(0, std::string(60000, 'n'));
  try {
    parse(proto);
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 5000u);
  }
}

TEST(HostileGraphs, NamesAreUtf8) {
  onnx::ModelProto proto = relu_model();
  auto& node = *proto.mutable_graph()->mutable_node(0);
  for (const char* good : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"}) {
    node.set_name(good);
    EXPECT_NO_THROW(parse(proto)) << good;
  }
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "a\x80", "\xe2\x82"}) {
    node.set_name(bad);
    expect_refused(proto, "not UTF-8");
  }
}

TEST(HostileGraphs, AttributesAreChecked) {
  const auto refused = [](const std::string& part, auto&& edit) {
    onnx::ModelProto proto = relu_model();
    edit(*proto.mutable_graph()->mutable_node(0));
    expect_refused(proto, part);
  };
  refused("given twice", [](auto& node) {
    add_attribute(node, "a", AttributeProto::INT);
    add_attribute(node, "a", AttributeProto::INT);
  });
  refused("holds a value of type 1",
          [](auto& node) { add_attribute(node, "a", AttributeProto::INT).set_f(1); });
  refused("two types", [](auto& node) {
    auto& a = add_attribute(node, "a", AttributeProto::INT);
    a.set_i(1);
    a.add_ints(1);
  });
  refused("holds a value too", [](auto& node) {
    auto& a = add_attribute(node, "a", AttributeProto::INT);
    a.set_i(1);
    a.set_ref_attr_name("r");
  });
  refused("holds no value", [](auto& node) { add_attribute(node, "a", AttributeProto::TENSOR); });
  refused("holds no value", [](auto& node) { add_attribute(node, "a", AttributeProto::GRAPH); });
  refused("has no name", [](auto& node) { add_attribute(node, "", AttributeProto::INT).set_i(1); });
}

TEST(HostileTensors, SizesMustMatchExactly) {
  // The shape tensor whose 15 bytes made ParseData write outside its buffer.
  expect_tensor_refused(raw_tensor("w", 7, {1}, std::string(15, 'x')), "expected 8 bytes");
  expect_tensor_refused(raw_tensor("w", 1, {1000000}, std::string(8, 'x')), "found 8");
  expect_tensor_refused(raw_tensor("w", 1, {1}, ""), "found 0");
  expect_tensor_refused(raw_tensor("w", 22, {3}, "x"), "expected 2 bytes");
  expect_tensor_refused(raw_tensor("w", 1, {2000}, std::string(8004, 'x')), "found 8004");
  onnx::TensorProto typed = raw_tensor("w", 22, {3}, "");
  typed.clear_raw_data();
  typed.add_int32_data(1);
  expect_tensor_refused(typed, "does not fit");
  typed.add_int32_data(1);
  typed.add_int32_data(1);
  expect_tensor_refused(typed, "does not fit");
}

TEST(HostileTensors, DimensionsAreChecked) {
  expect_tensor_refused(raw_tensor("w", 1, {-1}, ""), "negative");
  expect_tensor_refused(raw_tensor("w", 1, {INT64_MAX, INT64_MAX}, ""), "counted",
                        ErrorCode::kLimit);
  expect_tensor_refused(raw_tensor("w", 1, {INT64_MAX}, ""), "exceed", ErrorCode::kLimit);
  expect_tensor_refused(raw_tensor("w", 1, {int64_t{1} << 62, 4}, ""), "counted",
                        ErrorCode::kLimit);
  expect_tensor_refused(raw_tensor("w", 1, std::vector<int64_t>(65, 1), "1234"), "dimensions",
                        ErrorCode::kLimit);
}

TEST(HostileTensors, TypesAndStorageAreChecked) {
  for (const int type : {0, 27, -1, 1 << 30}) {
    expect_tensor_refused(raw_tensor("w", type, {1}, "1234"), "data_type");
  }
  expect_tensor_refused(raw_tensor("w", 8, {1}, "1234"), "string_data alone");
  expect_tensor_refused(raw_tensor("w", 9, {2}, std::string("\0\2", 2)), "expected 0 or 1");
  onnx::TensorProto both = raw_tensor("w", 1, {1}, "1234");
  both.add_float_data(1);
  expect_tensor_refused(both, "expected one");
  onnx::TensorProto wrong = raw_tensor("w", 1, {1}, "");
  wrong.clear_raw_data();
  wrong.add_int64_data(1);
  expect_tensor_refused(wrong, "does not fit");
  wrong.clear_dims();
  wrong.add_dims(0);
  expect_tensor_refused(wrong, "no elements, but");
  onnx::TensorProto range = raw_tensor("w", 3, {1}, "");
  range.clear_raw_data();
  range.add_int32_data(128);
  expect_tensor_refused(range, "outside the range of int8");
  range.set_int32_data(0, -129);
  expect_tensor_refused(range, "outside the range of int8");
  onnx::TensorProto segment = raw_tensor("w", 1, {1}, "1234");
  segment.mutable_segment()->set_begin(0);
  expect_tensor_refused(segment, "segments", ErrorCode::kUnsupported);
}

TEST(HostileTensors, SparseOnesAreChecked) {
  onnx::ModelProto proto = relu_model();
  auto& sparse = *proto.mutable_graph()->add_sparse_initializer();
  *sparse.mutable_values() = raw_tensor("s", 1, {1}, "1234");
  *sparse.mutable_indices() = raw_tensor("", 7, {1}, std::string("\x09\0\0\0\0\0\0\0", 8));
  sparse.add_dims(9);
  expect_refused(proto, "outside 9");
  sparse.set_dims(0, INT64_MAX);
  sparse.add_dims(INT64_MAX);
  expect_refused(proto, "counted", ErrorCode::kLimit);
}

TEST(HostileBytes, ReservedAndOddFieldsAreHarmless) {
  onnx::ModelProto proto = relu_model();
  auto& tensor = *proto.mutable_graph()->add_initializer();
  tensor = raw_tensor("w", 1, {2000}, "");
  tensor.clear_raw_data();
  tensor.GetReflection()->MutableUnknownFields(&tensor)->AddVarint(536870001, 0);
  expect_refused(proto, "reserves", ErrorCode::kUnsupported);
  // raw_data given twice: the last counts, as protobuf has it.
  onnx::ModelProto twice = relu_model();
  *twice.mutable_graph()->add_initializer() = raw_tensor("w", 2, {5000}, std::string(5000, 'a'));
  std::string bytes = twice.mutable_graph()->mutable_initializer(0)->SerializeAsString();
  onnx::TensorProto last;
  last.set_raw_data(std::string(5000, 'b'));
  const std::string merged = bytes + last.SerializeAsString();
  onnx::GraphProto shell;
  std::string graph = twice.graph().SerializeAsString();
  const size_t at = graph.find(bytes);
  ASSERT_NE(at, std::string::npos);
  twice.mutable_graph()->clear_initializer();
  twice.mutable_graph()
      ->GetReflection()
      ->MutableUnknownFields(twice.mutable_graph())
      ->AddLengthDelimited(5, merged);
  const Model model = parse(twice);
  EXPECT_EQ(static_cast<char>(model.graph->constants()[0]->constant()->bytes()[4999]), 'b');
}

TEST(HostileBytes, SharedHostileFiles) {
  const auto shared = fettle::test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "../shared is absent";
  const fs::path folder = shared / "zoo" / "hostile";
  expect_error("no ONNX model", [&] { read_model(folder / "bad_names.onnx"); });
  expect_error("", [&] { read_model(folder / "corrupt-model.onnx"); });
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    try {
      serialize_model(read_model(entry.path()));
    } catch (const Error& error) {
      EXPECT_NE(static_cast<int>(error.code()), static_cast<int>(ErrorCode::kInternal));
    }
  }
}

}  // namespace
}  // namespace fettle::ir
