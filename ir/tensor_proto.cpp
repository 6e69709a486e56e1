#include "ir/tensor_proto.h"

#include <onnx/onnx_pb.h>

#include <bit>
#include <cstring>

#include "ir/error.h"
#include "ir/sparse.h"
#include "ir/tensor_typed.h"
#include "ir/wire_format.h"

namespace fettle::ir {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are little endian");

constexpr int kMaxRank = 64;
constexpr size_t kSpillThreshold = size_t{1} << 20;

DataType read_type(const onnx::TensorProto& proto) {
  const auto type = data_type_from_onnx(proto.data_type());
  if (!type) {
    fail(ErrorCode::kBadInput,
         "data_type {} is not an element type of ONNX; expected a number from 1 to 26",
         proto.data_type());
  }
  return *type;
}

Dims read_dims(const onnx::TensorProto& proto) {
  if (proto.dims_size() > kMaxRank) {
    fail(ErrorCode::kLimit, "expected at most {} dimensions, found {}", kMaxRank,
         proto.dims_size());
  }
  return Dims(proto.dims().begin(), proto.dims().end());
}

// How many storage forms the message uses.
int storage_forms(const onnx::TensorProto& proto, bool cut) {
  return (proto.float_data_size() > 0) + (proto.int32_data_size() > 0) +
         (proto.int64_data_size() > 0) + (proto.uint64_data_size() > 0) +
         (proto.double_data_size() > 0) + (proto.string_data_size() > 0) + proto.has_raw_data() +
         cut;
}

void check_bools(const Tensor& tensor) {
  if (tensor.type() != DataType::kBool) return;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const auto byte = static_cast<unsigned>(tensor.bytes()[i]);
    if (byte > 1) {
      fail(ErrorCode::kBadInput, "element {} of a bool tensor is {}, expected 0 or 1", i, byte);
    }
  }
}

void check_size(DataType type, const Dims& dims, size_t expected, size_t found) {
  if (expected == found) return;
  fail(ErrorCode::kBadInput,
       "expected {} bytes of data for {}{}, found {}; the file is damaged or was edited", expected,
       data_type_name(type), to_string(dims), found);
}

size_t element_alignment(DataType type) {
  const int bits = data_type_bits(type);
  return bits <= 8 ? 1 : static_cast<size_t>(std::min(bits, 64)) / 8;
}

Tensor tensor_of_bytes(DataType type, Dims dims, TensorBytes bytes) {
  check_size(type, dims, data_type_bytes(type, element_count(dims)), bytes.size);
  return Tensor(type, std::move(dims), std::move(bytes.buffer), bytes.offset);
}

Tensor tensor_of_raw(DataType type, Dims dims, const std::string& raw) {
  const size_t expected = data_type_bytes(type, element_count(dims));
  check_size(type, dims, expected, raw.size());
  if (expected >= kSpillThreshold) {
    return Tensor(type, std::move(dims), Buffer::spill(raw.data(), raw.size()));
  }
  Tensor tensor(type, std::move(dims));
  if (expected > 0) std::memcpy(tensor.mutable_bytes(), raw.data(), expected);
  return tensor;
}

Tensor read_strings(const onnx::TensorProto& proto, Dims dims) {
  const int64_t count = element_count(dims);
  if (count != proto.string_data_size()) {
    fail(ErrorCode::kBadInput, "expected {} strings for shape {}, found {}", count, to_string(dims),
         proto.string_data_size());
  }
  return Tensor::of_strings(std::move(dims),
                            {proto.string_data().begin(), proto.string_data().end()});
}

void check_string_storage(const onnx::TensorProto& proto, bool cut, bool external) {
  if (cut || external || proto.has_raw_data() || storage_forms(proto, cut) > 1) {
    fail(ErrorCode::kBadInput, "strings must be stored in string_data alone");
  }
}

Tensor read_external(const onnx::TensorProto& proto, DataType type, Dims dims,
                     TensorSource& source) {
  if (storage_forms(proto, false) > 0) {
    fail(ErrorCode::kBadInput, "data is both external and inside the file; expected one of them");
  }
  const size_t size = data_type_bytes(type, element_count(dims));
  TensorBytes bytes = source.external_bytes(proto, size, element_alignment(type));
  return tensor_of_bytes(type, std::move(dims), std::move(bytes));
}

Tensor read_internal(const onnx::TensorProto& proto, DataType type, Dims dims,
                     std::optional<uint64_t> cut, TensorSource& source, TensorEncoding& encoding) {
  const int forms = storage_forms(proto, cut.has_value());
  if (forms > 1) fail(ErrorCode::kBadInput, "data is stored in {} fields, expected one", forms);
  if (cut) {
    TensorBytes bytes = source.cut_bytes(*cut, element_alignment(type));
    encoding = bytes.field == kRawDataField ? TensorEncoding::kRaw : TensorEncoding::kTyped;
    if (encoding == TensorEncoding::kTyped && bytes.field != typed_field(type)) {
      fail(ErrorCode::kBadInput, "data of type {} is stored in a field of another type",
           data_type_name(type));
    }
    return tensor_of_bytes(type, std::move(dims), std::move(bytes));
  }
  if (proto.has_raw_data()) {
    encoding = TensorEncoding::kRaw;
    return tensor_of_raw(type, std::move(dims), proto.raw_data());
  }
  encoding = TensorEncoding::kTyped;
  if (forms > 0 && element_count(dims) == 0) {
    fail(ErrorCode::kBadInput, "shape {} has no elements, but there is data", to_string(dims));
  }
  return read_typed(proto, type, std::move(dims));
}

void clear_modelled(onnx::TensorProto& proto) {
  proto.clear_dims();
  proto.clear_data_type();
  proto.clear_float_data();
  proto.clear_int32_data();
  proto.clear_int64_data();
  proto.clear_uint64_data();
  proto.clear_double_data();
  proto.clear_string_data();
  proto.clear_raw_data();
}

}  // namespace

StoredTensor tensor_from_proto(onnx::TensorProto& proto, TensorSource& source,
                               const std::string& own_name) try {
  if (proto.has_segment()) {
    fail(ErrorCode::kUnsupported, "the tensor is stored in segments; save the model again whole");
  }
  const DataType type = read_type(proto);
  Dims dims = read_dims(proto);
  const auto cut = take_unknown_varint(proto, kCutDataField);
  const bool external = proto.data_location() == onnx::TensorProto::EXTERNAL;
  StoredTensor stored;
  if (type == DataType::kString) {
    check_string_storage(proto, cut.has_value(), external);
    stored.tensor = read_strings(proto, std::move(dims));
    stored.encoding = TensorEncoding::kTyped;
  } else if (external) {
    stored.tensor = read_external(proto, type, std::move(dims), source);
    stored.encoding = TensorEncoding::kExternal;
    proto.clear_external_data();
    proto.clear_data_location();
  } else {
    stored.tensor = read_internal(proto, type, std::move(dims), cut, source, stored.encoding);
  }
  check_bools(stored.tensor);
  clear_modelled(proto);
  onnx::TensorProto fresh;
  if (!own_name.empty()) fresh.set_name(own_name);
  stored.carry = carry_of(proto, fresh);
  return stored;
} catch (Error& error) {
  throw error.add_context(fmt::format("tensor '{}'", proto.name()));
}

SparseTensor sparse_from_proto(onnx::SparseTensorProto& proto, TensorSource& source) {
  SparseTensor sparse;
  sparse.dims.assign(proto.dims().begin(), proto.dims().end());
  element_count(sparse.dims);
  if (sparse.dims.size() > kMaxRank) {
    fail(ErrorCode::kLimit, "expected at most {} dimensions, found {}", kMaxRank,
         sparse.dims.size());
  }
  sparse.values = tensor_from_proto(*proto.mutable_values(), source, {});
  sparse.indices = tensor_from_proto(*proto.mutable_indices(), source, {});
  check_sparse(sparse);
  proto.clear_dims();
  proto.clear_values();
  proto.clear_indices();
  sparse.carry = serialize(proto);
  return sparse;
}

void tensor_to_proto(const StoredTensor& stored, const std::string& own_name,
                     onnx::TensorProto& proto, const TensorSink& sink) {
  const Tensor& tensor = stored.tensor;
  parse_carry(proto, stored.carry);
  if (!own_name.empty() && proto.name() != own_name) proto.set_name(own_name);
  for (const int64_t d : tensor.dims()) proto.add_dims(d);
  proto.set_data_type(static_cast<int32_t>(tensor.type()));
  if (tensor.type() == DataType::kString) {
    for (const std::string& s : tensor.strings()) proto.add_string_data(s);
    return;
  }
  if (sink && sink(stored, !own_name.empty(), proto)) return;
  if (stored.encoding == TensorEncoding::kTyped) {
    write_typed(tensor, proto);
  } else if (tensor.byte_size() == 0) {
    proto.set_raw_data(std::string());
  } else {
    proto.set_raw_data(tensor.bytes(), tensor.byte_size());
  }
}

void sparse_to_proto(const SparseTensor& sparse, onnx::SparseTensorProto& proto,
                     const TensorSink& sink) {
  parse_carry(proto, sparse.carry);
  for (const int64_t d : sparse.dims) proto.add_dims(d);
  tensor_to_proto(sparse.values, {}, *proto.mutable_values(), sink);
  tensor_to_proto(sparse.indices, {}, *proto.mutable_indices(), sink);
}

}  // namespace fettle::ir
