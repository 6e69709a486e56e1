#include "ir/type_proto.h"

#include <onnx/onnx_pb.h>

namespace fettle::ir {
namespace {

DataType element_from_proto(int32_t number) {
  return data_type_from_onnx(number).value_or(DataType::kUndefined);
}

template <typename TensorTypeProto>
Type tensor_from_proto(const TensorTypeProto& proto, Type::Kind kind) {
  Type type;
  type.kind = kind;
  type.element = element_from_proto(proto.elem_type());
  if (!proto.has_shape()) return type;
  Shape shape;
  shape.reserve(static_cast<size_t>(proto.shape().dim_size()));
  for (const auto& dim : proto.shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      shape.push_back(Dim::of(dim.dim_value()));
    } else {
      shape.push_back(Dim::named(dim.dim_param()));
    }
  }
  type.shape = std::move(shape);
  return type;
}

template <typename TensorTypeProto>
void tensor_to_proto(const Type& type, TensorTypeProto& proto) {
  proto.set_elem_type(static_cast<int32_t>(type.element));
  proto.clear_shape();
  if (!type.shape) return;
  auto* shape = proto.mutable_shape();
  for (const Dim& dim : *type.shape) {
    auto* out = shape->add_dim();
    if (dim.known()) {
      out->set_dim_value(dim.value);
    } else if (dim.symbolic()) {
      out->set_dim_param(dim.symbol);
    }
  }
}

}  // namespace

Type type_from_proto(const onnx::TypeProto& proto) {
  Type type;
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType:
      return tensor_from_proto(proto.tensor_type(), Type::Kind::kTensor);
    case onnx::TypeProto::kSparseTensorType:
      return tensor_from_proto(proto.sparse_tensor_type(), Type::Kind::kSparseTensor);
    case onnx::TypeProto::kSequenceType:
      return Type::sequence(type_from_proto(proto.sequence_type().elem_type()));
    case onnx::TypeProto::kOptionalType:
      return Type::optional(type_from_proto(proto.optional_type().elem_type()));
    case onnx::TypeProto::kMapType:
      type.kind = Type::Kind::kMap;
      type.element = element_from_proto(proto.map_type().key_type());
      type.inner = std::make_shared<const Type>(type_from_proto(proto.map_type().value_type()));
      return type;
    case onnx::TypeProto::kOpaqueType:
      type.kind = Type::Kind::kOpaque;
      return type;
    default:
      return type;
  }
}

void type_to_proto(const Type& type, onnx::TypeProto& proto) {
  switch (type.kind) {
    case Type::Kind::kTensor:
      tensor_to_proto(type, *proto.mutable_tensor_type());
      break;
    case Type::Kind::kSparseTensor:
      tensor_to_proto(type, *proto.mutable_sparse_tensor_type());
      break;
    case Type::Kind::kSequence:
      type_to_proto(*type.inner, *proto.mutable_sequence_type()->mutable_elem_type());
      break;
    case Type::Kind::kOptional:
      type_to_proto(*type.inner, *proto.mutable_optional_type()->mutable_elem_type());
      break;
    case Type::Kind::kMap:
      proto.mutable_map_type()->set_key_type(static_cast<int32_t>(type.element));
      type_to_proto(*type.inner, *proto.mutable_map_type()->mutable_value_type());
      break;
    case Type::Kind::kOpaque:
    case Type::Kind::kUnknown:
      break;
  }
}

bool describes(const Type& declared, const Type& actual) {
  if (!declared.known()) return true;
  if (declared.kind != actual.kind || declared.element != actual.element) return false;
  if (!declared.shape || !actual.shape) return true;
  if (declared.shape->size() != actual.shape->size()) return false;
  for (size_t i = 0; i < declared.shape->size(); ++i) {
    const Dim& d = (*declared.shape)[i];
    if (d.known() && d != (*actual.shape)[i]) return false;
  }
  return true;
}

}  // namespace fettle::ir
