#include "ir/print_literals.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>

namespace fettle::ir {
namespace {

bool is_identifier(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (const char c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
  }
  return true;
}

template <typename T>
std::string text_number(T value) {
  std::string text = fmt::format("{}", value);
  if (!std::isfinite(value)) return text;
  const bool looks_integer = text.find_first_of(".e") == std::string::npos;
  return looks_integer ? text + ".0" : text;
}

std::string text_dim(const Dim& dim) {
  if (dim.known()) return std::to_string(dim.value);
  return dim.symbolic() ? text_name(dim.symbol) : "?";
}

std::string text_element(const Tensor& tensor, int64_t i) {
  switch (tensor.type()) {
    case DataType::kString: return text_string(tensor.strings()[static_cast<size_t>(i)]);
    case DataType::kComplex64:
    case DataType::kComplex128: return "?";
    case DataType::kUint64: return std::to_string(tensor.data<uint64_t>()[static_cast<size_t>(i)]);
    case DataType::kFloat: return text_float(tensor.data<float>()[static_cast<size_t>(i)]);
    default: break;
  }
  return is_floating(tensor.type()) ? text_double(element_as_double(tensor, i))
                                    : std::to_string(element_as_int(tensor, i));
}

}  // namespace

std::string text_string(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string text_name(const std::string& name) {
  return is_identifier(name) ? name : text_string(name);
}

std::string text_float(float value) { return text_number(value); }
std::string text_double(double value) { return text_number(value); }

std::string text_type(const Type& type) {
  const std::string inner = type.inner ? text_type(*type.inner) : "?";
  switch (type.kind) {
    case Type::Kind::kTensor:
    case Type::Kind::kSparseTensor: {
      std::string text(data_type_name(type.element));
      if (!type.shape) {
        text += "[]";
      } else if (!type.shape->empty()) {
        for (size_t i = 0; i < type.shape->size(); ++i) {
          text += (i == 0 ? "[" : ",") + text_dim((*type.shape)[i]);
        }
        text += "]";
      }
      return type.kind == Type::Kind::kTensor ? text : "sparse_tensor(" + text + ")";
    }
    case Type::Kind::kSequence: return "seq(" + inner + ")";
    case Type::Kind::kOptional: return "optional(" + inner + ")";
    case Type::Kind::kMap:
      return "map(" + std::string(data_type_name(type.element)) + ", " + inner + ")";
    case Type::Kind::kOpaque: return "opaque";
    case Type::Kind::kUnknown: break;
  }
  return "";
}

std::string text_elements(const Tensor& tensor, int64_t max_elements) {
  if (tensor.size() > max_elements) return "{...}";
  std::string text = "{";
  for (int64_t i = 0; i < tensor.size(); ++i) {
    text += (i == 0 ? "" : ", ") + text_element(tensor, i);
  }
  return text + "}";
}

}  // namespace fettle::ir
