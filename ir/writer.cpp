// Model to bytes and files.
#include <onnx/onnx_pb.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "ir/atomic_file.h"
#include "ir/error.h"
#include "ir/io.h"
#include "ir/reader_internal.h"
#include "ir/tensor_typed.h"
#include "ir/wire_expand.h"
#include "ir/wire_format.h"
#include "ir/wire_scan.h"
#include "ir/writer_check.h"
#include "ir/writer_graph.h"

namespace fettle::ir {
namespace {

constexpr uint64_t kMaxMessageBytes = INT32_MAX;  // protobuf's limit
constexpr uint64_t kDataAlignment = 4096;         // so that runtimes can map the tensors

// Data for the data file, in the order of its offsets.
struct DataFile {
  std::string location;     // its name beside the model
  size_t threshold = 0;     // tensors of fewer bytes stay in the model
  bool attributes = false;  // tensors of attributes go there too
  std::vector<Tensor> tensors;
  uint64_t size = 0;
};

// Cuts the data out of the message that is being built, for ExpandedMessage to put back.
bool cut_out(const StoredTensor& stored, std::vector<CutData>& cuts, onnx::TensorProto& proto) {
  const Tensor& tensor = stored.tensor;
  if (tensor.byte_size() < kCutThreshold) return false;
  int field = kRawDataField;
  if (stored.encoding == TensorEncoding::kTyped) {
    field = typed_field(tensor.type());
    if (field != kFloatDataField && field != kDoubleDataField) return false;
  }
  add_unknown_varint(proto, kCutDataField, cuts.size());
  cuts.push_back({tensor, field});
  return true;
}

bool put_into_file(const StoredTensor& stored, bool initializer, DataFile& file,
                   onnx::TensorProto& proto) {
  const Tensor& tensor = stored.tensor;
  if (!initializer && !file.attributes) return false;
  if (tensor.byte_size() == 0 || tensor.byte_size() < file.threshold) return false;
  const uint64_t offset = (file.size + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
  const auto note = [&](const char* key, std::string value) {
    auto* entry = proto.add_external_data();
    entry->set_key(key);
    entry->set_value(std::move(value));
  };
  note("location", file.location);
  note("offset", std::to_string(offset));
  note("length", std::to_string(tensor.byte_size()));
  proto.set_data_location(onnx::TensorProto::EXTERNAL);
  file.tensors.push_back(tensor);
  file.size = offset + tensor.byte_size();
  return true;
}

// The model as a message; data goes to `file` where that is given.
ExpandedMessage build(const Model& model, DataFile* file) {
  std::vector<CutData> cuts;
  std::string reduced;
  {
    const auto sink = [&](const StoredTensor& stored, bool initializer, onnx::TensorProto& proto) {
      if (file != nullptr && put_into_file(stored, initializer, *file, proto)) return true;
      return cut_out(stored, cuts, proto);
    };
    onnx::ModelProto proto;
    GraphWriter(sink).write_model(model, proto);
    reduced = serialize(proto);
  }
  return ExpandedMessage(std::move(reduced), std::move(cuts), MessageKind::kModel);
}

// The model with external data; that of attributes only where it must be.
ExpandedMessage build_external(const Model& model, const WriteOptions& options, DataFile& file) {
  file.threshold = options.external_threshold;
  for (const bool attributes : {false, true}) {
    file.attributes = attributes;
    file.tensors.clear();
    file.size = 0;
    ExpandedMessage message = build(model, &file);
    if (message.size() <= std::min(options.single_file_limit, kMaxMessageBytes) || attributes) {
      return message;
    }
  }
  FETTLE_ASSERT(false);
}

void require_size(const ExpandedMessage& message) {
  if (message.size() > kMaxMessageBytes) {
    fail(ErrorCode::kLimit,
         "the model takes {} bytes, more than protobuf's 2 GiB; write it with external data",
         message.size());
  }
}

bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  struct stat x {};
  struct stat y {};
  return stat(a.c_str(), &x) == 0 && stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino;
}

// Refuses to replace a file that the model's constants are mapped from.
void refuse_inputs(const Model& model, const std::filesystem::path& path) {
  std::vector<std::string> inputs = model.data_files;
  if (!model.path.empty()) inputs.push_back(model.path);
  for (const std::string& input : inputs) {
    if (!same_file(path, input)) continue;
    fail(ErrorCode::kBadInput,
         "cannot write {}: it is an input of this run ({}); choose another name", path.string(),
         input);
  }
}

void write_data(const DataFile& data, AtomicFile& file) {
  for (const Tensor& tensor : data.tensors) {
    file.pad(kDataAlignment);
    file.write(tensor.bytes(), tensor.byte_size());
    tensor.buffer()->release_pages();
  }
  FETTLE_ASSERT(file.size() == data.size);
  file.finish();
}

void check_written(const Model& model, const AtomicFile& file,
                   const std::map<std::string, std::filesystem::path>& data_files) try {
  require_same(read_back(file.temporary(), data_files), model);
} catch (const Error& error) {
  if (error.code() != ErrorCode::kBadInput) throw;
  fail(ErrorCode::kInternal, "the model to be written is not valid: {}", error.what());
}

void write_message(const ExpandedMessage& message, AtomicFile& file) {
  message.write([&](const void* bytes, size_t size) { file.write(bytes, size); });
  file.finish();
}

void write_single(const Model& model, const ExpandedMessage& message,
                  const std::filesystem::path& path) {
  AtomicFile file(path);
  write_message(message, file);
  check_written(model, file, {});
  file.commit();
}

void write_pair(const Model& model, const WriteOptions& options,
                const std::filesystem::path& path) {
  DataFile data;
  data.location = path.filename().string() + ".data";
  const std::filesystem::path data_path = path.parent_path() / data.location;
  refuse_inputs(model, data_path);
  const ExpandedMessage message = build_external(model, options, data);
  require_size(message);
  if (data.tensors.empty()) {
    write_single(model, message, path);
    return;
  }
  AtomicFile data_file(data_path);
  AtomicFile file(path);
  write_data(data, data_file);
  write_message(message, file);
  check_written(model, file, {{data.location, data_file.temporary()}});
  // The data first: a model never stands without it.
  data_file.commit();
  try {
    file.commit();
  } catch (const Error&) {
    std::error_code ignored;
    std::filesystem::remove(data_path, ignored);
    throw;
  }
}

}  // namespace

std::string serialize_model(const Model& model) {
  const ExpandedMessage message = build(model, nullptr);
  require_size(message);
  require_memory(message.size());
  std::string bytes;
  bytes.reserve(message.size());
  message.write(
      [&](const void* part, size_t size) { bytes.append(static_cast<const char*>(part), size); });
  return bytes;
}

void write_model(const Model& model, const std::filesystem::path& path,
                 const WriteOptions& options) {
  refuse_inputs(model, path);
  const std::filesystem::path target = write_target(path);  // external data belong beside it
  if (!options.force_external) {
    const ExpandedMessage message = build(model, nullptr);
    if (message.size() <= std::min(options.single_file_limit, kMaxMessageBytes)) {
      write_single(model, message, target);
      return;
    }
  }
  write_pair(model, options, target);
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

void check_writable(const std::filesystem::path& path) { const AtomicFile probe(path); }

}  // namespace fettle::ir
