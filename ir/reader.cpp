// Files and bytes to Model.
#include <fcntl.h>
#include <onnx/onnx_pb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "ir/error.h"
#include "ir/io.h"
#include "ir/reader_graph.h"
#include "ir/wire_format.h"

namespace fettle::ir {
namespace {

class NoOutsideData : public TensorSource {
 public:
  TensorBytes cut_bytes(uint64_t, size_t) override {
    fail(ErrorCode::kBadInput, "the data is missing");
  }
  TensorBytes external_bytes(const onnx::TensorProto&, size_t, size_t) override {
    fail(ErrorCode::kUnsupported, "external data");
  }
};

std::string read_bytes(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(ErrorCode::kBadInput, "cannot open: {}", std::strerror(errno));
  struct stat status {};
  std::string bytes;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    bytes.resize(static_cast<size_t>(status.st_size));
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = read(fd, bytes.data() + done, bytes.size() - done);
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
    bytes.resize(done);
  }
  close(fd);
  return bytes;
}

}  // namespace

Model parse_model(std::string bytes, const std::filesystem::path&, const ReadOptions&) {
  onnx::ModelProto proto;
  if (bytes.empty() || !proto.ParseFromString(bytes) || !proto.has_graph()) {
    fail(ErrorCode::kBadInput, "not an ONNX model");
  }
  Model model;
  model.ir_version = proto.ir_version();
  for (const auto& import : proto.opset_import()) {
    model.opset_imports.emplace_back(import.domain(), import.version());
  }
  NoOutsideData source;
  GraphReader reader(source, model.ir_version);
  model.graph = reader.read_graph(*proto.mutable_graph(), nullptr);
  proto.clear_graph();
  for (auto& function : *proto.mutable_functions()) {
    model.functions.push_back(reader.read_function(function));
  }
  proto.clear_functions();
  model.carry = serialize(proto);
  return model;
}

Model read_model(const std::filesystem::path& path, const ReadOptions& options) try {
  Model model = parse_model(read_bytes(path), path.parent_path(), options);
  model.path = path.string();
  return model;
} catch (Error& error) {
  throw error.add_context(fmt::format("file {}", path.string()));
}

Tensor read_tensor(const std::filesystem::path& path) try {
  onnx::TensorProto proto;
  if (!proto.ParseFromString(read_bytes(path))) fail(ErrorCode::kBadInput, "not a tensor");
  NoOutsideData source;
  return tensor_from_proto(proto, source, {}).tensor;
} catch (Error& error) {
  throw error.add_context(fmt::format("file {}", path.string()));
}

}  // namespace fettle::ir
