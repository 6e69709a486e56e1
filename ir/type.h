// Types of values: tensors with symbolic shapes, sequences, optionals and what else ONNX allows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/data_type.h"
#include "ir/tensor.h"

namespace fettle::ir {

// One dimension: a known extent, a named symbol, or unknown (neither).
struct Dim {
  int64_t value = -1;  // >= 0 when known
  std::string symbol;  // set when the extent is a named, unknown number

  static Dim of(int64_t value) { return Dim{value, {}}; }
  static Dim named(std::string symbol) { return Dim{-1, std::move(symbol)}; }
  static Dim unknown() { return {}; }
  bool known() const { return value >= 0; }
  bool symbolic() const { return value < 0 && !symbol.empty(); }
  // True when both are surely the same extent (unknown is not even equal to itself).
  bool same(const Dim& other) const {
    return known() ? value == other.value : symbolic() && symbol == other.symbol && !other.known();
  }
  bool operator==(const Dim&) const = default;
};

using Shape = std::vector<Dim>;

Shape shape_of(const Dims& dims);
// The dimensions when all are known.
std::optional<Dims> known_dims(const Shape& shape);
// "[N, 3, ?]".
std::string to_string(const Shape& shape);

struct Type {
  enum class Kind { kUnknown, kTensor, kSparseTensor, kSequence, kOptional, kMap, kOpaque };

  Kind kind = Kind::kUnknown;
  DataType element = DataType::kUndefined;  // tensor and sparse tensor; the key type of a map
  std::optional<Shape> shape;               // tensor and sparse tensor; nothing = unknown rank
  std::shared_ptr<const Type> inner;        // of sequence, optional and map

  static Type tensor(DataType element, std::optional<Shape> shape = std::nullopt);
  static Type sequence(Type inner);
  static Type optional(Type inner);
  bool is_tensor() const { return kind == Kind::kTensor; }
  bool known() const { return kind != Kind::kUnknown; }
  bool operator==(const Type& other) const;
};

// "tensor(float)[N, 3, 224, 224]", "seq(tensor(int64))".
std::string to_string(const Type& type);

}  // namespace fettle::ir
