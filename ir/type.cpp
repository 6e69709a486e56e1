#include "ir/type.h"

#include <fmt/format.h>

namespace fettle::ir {

Shape shape_of(const Dims& dims) {
  Shape shape;
  shape.reserve(dims.size());
  for (const int64_t d : dims) shape.push_back(Dim::of(d));
  return shape;
}

std::optional<Dims> known_dims(const Shape& shape) {
  Dims dims;
  dims.reserve(shape.size());
  for (const Dim& d : shape) {
    if (!d.known()) return std::nullopt;
    dims.push_back(d.value);
  }
  return dims;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    const Dim& d = shape[i];
    text += d.known() ? std::to_string(d.value) : d.symbolic() ? d.symbol : "?";
  }
  return text + "]";
}

Type Type::tensor(DataType element, std::optional<Shape> shape) {
  Type t;
  t.kind = Kind::kTensor;
  t.element = element;
  t.shape = std::move(shape);
  return t;
}

Type Type::sequence(Type inner) {
  Type t;
  t.kind = Kind::kSequence;
  t.inner = std::make_shared<const Type>(std::move(inner));
  return t;
}

Type Type::optional(Type inner) {
  Type t;
  t.kind = Kind::kOptional;
  t.inner = std::make_shared<const Type>(std::move(inner));
  return t;
}

bool Type::operator==(const Type& other) const {
  if (kind != other.kind || element != other.element || shape != other.shape) return false;
  if ((inner == nullptr) != (other.inner == nullptr)) return false;
  return inner == nullptr || *inner == *other.inner;
}

std::string to_string(const Type& type) {
  const std::string inner = type.inner ? to_string(*type.inner) : "?";
  const std::string shape = type.shape ? to_string(*type.shape) : "";
  switch (type.kind) {
    case Type::Kind::kTensor: return fmt::format("tensor({}){}", data_type_name(type.element), shape);
    case Type::Kind::kSparseTensor:
      return fmt::format("sparse_tensor({}){}", data_type_name(type.element), shape);
    case Type::Kind::kSequence: return fmt::format("seq({})", inner);
    case Type::Kind::kOptional: return fmt::format("optional({})", inner);
    case Type::Kind::kMap: return fmt::format("map({}, {})", data_type_name(type.element), inner);
    case Type::Kind::kOpaque: return "opaque";
    case Type::Kind::kUnknown: break;
  }
  return "unknown";
}

}  // namespace fettle::ir
