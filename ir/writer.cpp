// Model to bytes and files.
#include <onnx/onnx_pb.h>

#include "ir/atomic_file.h"
#include "ir/error.h"
#include "ir/io.h"
#include "ir/wire_format.h"
#include "ir/writer_graph.h"

namespace fettle::ir {

std::string serialize_model(const Model& model) {
  onnx::ModelProto proto;
  GraphWriter({}).write_model(model, proto);
  return serialize(proto);
}

void write_model(const Model& model, const std::filesystem::path& path, const WriteOptions&) {
  write_file(path, serialize_model(model));
}

std::string serialize_tensor(const Tensor& tensor, const std::string& name) {
  onnx::TensorProto proto;
  tensor_to_proto(StoredTensor{tensor, TensorEncoding::kRaw, {}}, name, proto, {});
  return serialize(proto);
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace fettle::ir
