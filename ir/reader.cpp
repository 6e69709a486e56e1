// Files and bytes to Model.
#include <google/protobuf/io/coded_stream.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "ir/check_model.h"
#include "ir/error.h"
#include "ir/external_data.h"
#include "ir/foreign_format.h"
#include "ir/io.h"
#include "ir/mapped_file.h"
#include "ir/opset_imports.h"
#include "ir/reader_graph.h"
#include "ir/reader_internal.h"
#include "ir/wire_format.h"
#include "ir/wire_scan.h"

namespace fettle::ir {
namespace {

constexpr uint64_t kMaxFileBytes = INT32_MAX;  // protobuf's limit
constexpr int kRecursionLimit = 100;

// Bytes to read: of a mapped file, or held in memory.
struct Input {
  std::string_view bytes;
  MappedFile* file = nullptr;  // null when in memory
  bool align = true;           // copy tensors that cannot be read in place
};

class InputSource : public TensorSource {
 public:
  InputSource(const Input& input, std::vector<CutRange> cuts, ExternalFiles& external)
      : input_(input), cuts_(std::move(cuts)), external_(external) {}

  TensorBytes cut_bytes(uint64_t index, size_t alignment) override {
    if (index >= cuts_.size()) fail(ErrorCode::kBadInput, "the tensor's data is missing");
    const CutRange& cut = cuts_[index];
    const auto size = static_cast<size_t>(cut.size);
    TensorBytes bytes =
        input_.file != nullptr
            ? input_.file->range(cut.offset, size, input_.align ? alignment : 1)
            : TensorBytes{copy_bytes(input_.bytes.data() + cut.offset, size), 0, size};
    bytes.field = cut.field;
    return bytes;
  }

  TensorBytes external_bytes(const onnx::TensorProto& proto, size_t size,
                             size_t alignment) override {
    return external_.read(proto, size, input_.align ? alignment : 1);
  }

 private:
  const Input& input_;
  std::vector<CutRange> cuts_;
  ExternalFiles& external_;
};

// Scans and parses `bytes`; what was cut out is returned.
std::vector<CutRange> scan_and_parse(std::string_view bytes, MessageKind kind,
                                     google::protobuf::MessageLite& proto) {
  ScannedMessage scanned = scan_message(bytes, kind);
  if (scanned.reduced.size() > kMaxFileBytes) {
    fail(ErrorCode::kLimit, "the graph itself takes more than 2 GiB");
  }
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t*>(scanned.reduced.data()),
      static_cast<int>(scanned.reduced.size()));
  stream.SetRecursionLimit(kRecursionLimit);
  if (!proto.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    fail(ErrorCode::kBadInput,
         "protobuf cannot parse it: the file is damaged or nested too deeply");
  }
  return std::move(scanned.cuts);
}

std::vector<CutRange> parse_message(std::string_view bytes, MessageKind kind,
                                    google::protobuf::MessageLite& proto) {
  if (bytes.empty()) fail(ErrorCode::kBadInput, "the file is empty; expected ONNX");
  if (bytes.size() > kMaxFileBytes) {
    fail(ErrorCode::kLimit,
         "the file has {} bytes, more than protobuf's 2 GiB; save the model with external data",
         bytes.size());
  }
  refuse_foreign_format(bytes);
  try {
    return scan_and_parse(bytes, kind, proto);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kBadInput) refuse_text(bytes);
    throw;
  }
}

void read_header(const onnx::ModelProto& proto, Model& model) {
  if (!proto.has_graph()) {
    fail(ErrorCode::kBadInput, "holds no graph; expected an ONNX model, not another protobuf file");
  }
  if (proto.ir_version() < 1) {
    fail(ErrorCode::kBadInput, "ir_version is {}, expected 3 or more; the file is no ONNX model",
         proto.ir_version());
  }
  model.ir_version = proto.ir_version();
  model.opset_imports = model_opset_imports(proto.opset_import(), model.ir_version);
}

Model load(const Input& input, ExternalFiles& external) {
  onnx::ModelProto proto;
  InputSource source(input, parse_message(input.bytes, MessageKind::kModel, proto), external);
  Model model;
  read_header(proto, model);
  GraphReader reader(source, model.ir_version);
  model.graph = reader.read_graph(*proto.mutable_graph(), nullptr);
  proto.clear_graph();
  for (auto& function : *proto.mutable_functions()) {
    model.functions.push_back(reader.read_function(function));
    function.Clear();
  }
  proto.clear_functions();
  model.carry = serialize(proto);
  check_model(model);
  return model;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

Model parse_model(std::string bytes, const std::filesystem::path& directory,
                  const ReadOptions& options) {
  ExternalFiles external(directory, {}, options);
  Model model = load(Input{.bytes = bytes}, external);
  model.data_files = external.paths();
  return model;
}

Model read_model(const std::filesystem::path& path, const ReadOptions& options) try {
  MappedFile file = MappedFile::open(path);
  ExternalFiles external(folder_of(path), path, options);
  const std::string_view bytes = file.size() > 0 ? file.bytes() : std::string_view();
  Model model = load(Input{.bytes = bytes, .file = &file}, external);
  model.path = path.string();
  model.data_files = external.paths();
  file.release_pages();
  external.release_pages();
  return model;
} catch (Error& error) {
  throw error.add_context(fmt::format("file {}", path.string()));
}

Model read_back(const std::filesystem::path& path,
                const std::map<std::string, std::filesystem::path>& data_files) {
  MappedFile file = MappedFile::open(path);
  ExternalFiles external(folder_of(path), path, {});
  for (const auto& [location, data_path] : data_files) external.redirect(location, data_path);
  return load(Input{.bytes = file.bytes(), .file = &file, .align = false}, external);
}

Tensor read_tensor(const std::filesystem::path& path) try {
  MappedFile file = MappedFile::open(path);
  ExternalFiles external(folder_of(path), path, {});
  const Input input{.bytes = file.size() > 0 ? file.bytes() : std::string_view(), .file = &file};
  onnx::TensorProto proto;
  InputSource source(input, parse_message(input.bytes, MessageKind::kTensor, proto), external);
  return tensor_from_proto(proto, source, {}).tensor;
} catch (Error& error) {
  throw error.add_context(fmt::format("file {}", path.string()));
}

}  // namespace fettle::ir
