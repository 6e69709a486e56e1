#include "ir/tensor_typed.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>

#include "ir/error.h"

namespace fettle::ir {
namespace {

// What the entries of one field hold for a type.
struct Layout {
  int field;
  int64_t values_per_element;  // 2 for complex numbers
  int64_t elements_per_value;  // of packed types
};

Layout layout_of(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return {kFloatDataField, 1, 1};
    case DataType::kComplex64:
      return {kFloatDataField, 2, 1};
    case DataType::kDouble:
      return {kDoubleDataField, 1, 1};
    case DataType::kComplex128:
      return {kDoubleDataField, 2, 1};
    case DataType::kInt64:
      return {kInt64DataField, 1, 1};
    case DataType::kUint32:
    case DataType::kUint64:
      return {kUint64DataField, 1, 1};
    default:
      break;
  }
  const int bits = data_type_bits(type);
  return {kInt32DataField, 1, bits < 8 ? 8 / bits : 1};
}

template <typename Values>
void check_count(const Values& values, DataType type, const Dims& dims) {
  const Layout layout = layout_of(type);
  const int64_t count = element_count(dims);
  // Compared by division, so that nothing can overflow.
  const int64_t found = values.size();
  const bool matches =
      layout.elements_per_value > 1
          ? found == count / layout.elements_per_value + (count % layout.elements_per_value != 0)
          : found % layout.values_per_element == 0 && found / layout.values_per_element == count;
  if (!matches) {
    fail(ErrorCode::kBadInput, "the data field for {} has {} entries, which does not fit shape {}",
         data_type_name(type), found, to_string(dims));
  }
}

// Stores each entry as a T; entries must lie in [lowest, highest].
template <typename T, typename Values>
Tensor read_as(const Values& values, DataType type, Dims dims, int64_t lowest, uint64_t highest) {
  check_count(values, type, dims);
  Tensor tensor(type, std::move(dims));
  auto* out = reinterpret_cast<T*>(tensor.mutable_bytes());
  for (int i = 0; i < values.size(); ++i) {
    const auto value = values.Get(i);
    const bool low = value < 0 && static_cast<int64_t>(value) < lowest;
    const bool high = value > 0 && static_cast<uint64_t>(value) > highest;
    if (low || high) {
      fail(ErrorCode::kBadInput, "entry {} of the data is {}, outside the range of {}", i, value,
           data_type_name(type));
    }
    out[i] = static_cast<T>(value);
  }
  return tensor;
}

template <typename Values>
Tensor read_copy(const Values& values, DataType type, Dims dims) {
  check_count(values, type, dims);
  Tensor tensor(type, std::move(dims));
  if (values.size() > 0) std::memcpy(tensor.mutable_bytes(), values.data(), tensor.byte_size());
  return tensor;
}

template <typename T, typename Values>
Tensor read_integers(const Values& values, DataType type, Dims dims) {
  return read_as<T>(values, type, std::move(dims),
                    static_cast<int64_t>(std::numeric_limits<T>::min()),
                    static_cast<uint64_t>(std::numeric_limits<T>::max()));
}

Tensor read_int32_data(const onnx::TensorProto& proto, DataType type, Dims dims) {
  const auto& values = proto.int32_data();
  switch (type) {
    case DataType::kInt32:
      return read_copy(values, type, std::move(dims));
    case DataType::kInt16:
      return read_integers<int16_t>(values, type, std::move(dims));
    case DataType::kInt8:
      return read_integers<int8_t>(values, type, std::move(dims));
    case DataType::kBool:
      return read_as<uint8_t>(values, type, std::move(dims), 0, 1);
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      return read_integers<uint16_t>(values, type, std::move(dims));
    default:
      return read_integers<uint8_t>(values, type, std::move(dims));
  }
}

template <typename T, typename Values>
void append(const Tensor& tensor, Values* values) {
  const size_t count = tensor.byte_size() / sizeof(T);
  values->Reserve(static_cast<int>(count));
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, tensor.bytes() + i * sizeof(T), sizeof(T));
    values->Add(value);
  }
}

}  // namespace

int typed_field(DataType type) {
  return layout_of(type).field;
}

Tensor read_typed(const onnx::TensorProto& proto, DataType type, Dims dims) {
  switch (layout_of(type).field) {
    case kFloatDataField:
      return read_copy(proto.float_data(), type, std::move(dims));
    case kDoubleDataField:
      return read_copy(proto.double_data(), type, std::move(dims));
    case kInt64DataField:
      return read_copy(proto.int64_data(), type, std::move(dims));
    case kUint64DataField:
      return type == DataType::kUint64
                 ? read_copy(proto.uint64_data(), type, std::move(dims))
                 : read_integers<uint32_t>(proto.uint64_data(), type, std::move(dims));
    default:
      return read_int32_data(proto, type, std::move(dims));
  }
}

void write_typed(const Tensor& tensor, onnx::TensorProto& proto) {
  switch (layout_of(tensor.type()).field) {
    case kFloatDataField:
      append<float>(tensor, proto.mutable_float_data());
      return;
    case kDoubleDataField:
      append<double>(tensor, proto.mutable_double_data());
      return;
    case kInt64DataField:
      append<int64_t>(tensor, proto.mutable_int64_data());
      return;
    case kUint64DataField:
      if (tensor.type() == DataType::kUint64) {
        append<uint64_t>(tensor, proto.mutable_uint64_data());
      } else {
        append<uint32_t>(tensor, proto.mutable_uint64_data());
      }
      return;
    default:
      break;
  }
  auto* values = proto.mutable_int32_data();
  switch (tensor.type()) {
    case DataType::kInt32:
      append<int32_t>(tensor, values);
      return;
    case DataType::kInt16:
      append<int16_t>(tensor, values);
      return;
    case DataType::kInt8:
      append<int8_t>(tensor, values);
      return;
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      append<uint16_t>(tensor, values);
      return;
    default:
      append<uint8_t>(tensor, values);
      return;
  }
}

}  // namespace fettle::ir
