// Builds messages for the reader's tests and takes their errors apart.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "ir/error.h"
#include "ir/io.h"

namespace fettle::test {

// A folder that goes with the test.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void set_tensor_type(onnx::ValueInfoProto& info, const std::string& name, int type,
                            std::initializer_list<int64_t> dims) {
  info.set_name(name);
  auto* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  tensor->mutable_shape();
  for (const int64_t d : dims) tensor->mutable_shape()->add_dim()->set_dim_value(d);
}

inline onnx::NodeProto& add_node(google::protobuf::RepeatedPtrField<onnx::NodeProto>* nodes,
                                 const std::string& op, std::initializer_list<std::string> inputs,
                                 std::initializer_list<std::string> outputs) {
  onnx::NodeProto& node = *nodes->Add();
  node.set_op_type(op);
  for (const auto& input : inputs) node.add_input(input);
  for (const auto& output : outputs) node.add_output(output);
  return node;
}

inline onnx::NodeProto& add_node(onnx::ModelProto& model, const std::string& op,
                                 std::initializer_list<std::string> inputs,
                                 std::initializer_list<std::string> outputs) {
  return add_node(model.mutable_graph()->mutable_node(), op, inputs, outputs);
}

// A model of IR version 8 and opset 17 with float[4] input x and output y, and no nodes.
inline onnx::ModelProto empty_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  model.mutable_graph()->set_name("g");
  set_tensor_type(*model.mutable_graph()->add_input(), "x", 1, {4});
  set_tensor_type(*model.mutable_graph()->add_output(), "y", 1, {4});
  return model;
}

// empty_model() with y = Relu(x).
inline onnx::ModelProto relu_model() {
  onnx::ModelProto model = empty_model();
  add_node(model, "Relu", {"x"}, {"y"});
  return model;
}

inline onnx::TensorProto raw_tensor(const std::string& name, int type,
                                    const std::vector<int64_t>& dims, const std::string& bytes) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const int64_t d : dims) tensor.add_dims(d);
  tensor.set_raw_data(bytes);
  return tensor;
}

inline onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                           onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

inline ir::Model parse(const onnx::ModelProto& model) {
  return ir::parse_model(model.SerializeAsString());
}

// Runs `action` and expects an Error whose text holds `part`.
template <typename Action>
void expect_error(const std::string& part, Action&& action, ErrorCode code = ErrorCode::kBadInput) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << "found: " << error.what();
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    return;
  }
  ADD_FAILURE() << "expected an error with: " << part;
}

inline void expect_refused(const onnx::ModelProto& model, const std::string& part,
                           ErrorCode code = ErrorCode::kBadInput) {
  expect_error(
      part, [&] { parse(model); }, code);
}

}  // namespace fettle::test
