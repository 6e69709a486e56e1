// Node attributes. Numbers of AttributeKind are those of AttributeProto.AttributeType.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ir/tensor.h"
#include "ir/type.h"

namespace fettle::ir {

class Graph;

// How a tensor was, or is to be, stored in the protobuf message.
enum class TensorEncoding { kRaw, kTyped, kExternal };

// A tensor as it stands in a file: the elements, and whatever else its message holds.
struct StoredTensor {
  Tensor tensor;
  TensorEncoding encoding = TensorEncoding::kRaw;
  // Serialized TensorProto without data: name, doc_string, metadata, unknown fields. Written back
  // as it came; empty for tensors that fettle made.
  std::string carry;
};

// A sparse tensor; `indices` are linear [NNZ] or per dimension [NNZ, rank].
struct SparseTensor {
  StoredTensor values;
  StoredTensor indices;
  Dims dims;
  std::string carry;
};
// The dense tensor that `sparse` stands for. Throws kBadInput for bad indices, kLimit when too big.
Tensor densify(const SparseTensor& sparse);

enum class AttributeKind : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kGraph = 5,
  kFloats = 6,
  kInts = 7,
  kStrings = 8,
  kTensors = 9,
  kGraphs = 10,
  kSparseTensor = 11,
  kSparseTensors = 12,
  kType = 13,
  kTypes = 14,
};

// The kind's payload type is fixed: kFloat float, kInt int64_t, kString std::string, kTensor
// StoredTensor, kGraph one graph, ... kType and kTypes stay serialized in `carry`, as does a
// reference to an attribute of the enclosing function (`reference`).
struct Attribute {
  using Graphs = std::vector<std::unique_ptr<Graph>>;
  using Payload =
      std::variant<std::monostate, float, int64_t, std::string, StoredTensor, Graphs,
                   std::vector<float>, std::vector<int64_t>, std::vector<std::string>,
                   std::vector<StoredTensor>, std::vector<SparseTensor>>;

  std::string name;
  AttributeKind kind = AttributeKind::kUndefined;
  Payload payload;        // kGraph and kGraphs: Graphs; kSparseTensor(s): vector<SparseTensor>
  std::string reference;  // name of the function attribute it stands for (ref_attr_name)
  std::string carry;      // serialized AttributeProto without the payload; empty when new

  Attribute();
  Attribute(std::string name, float value);
  Attribute(std::string name, int64_t value);
  Attribute(std::string name, int value) : Attribute(std::move(name), int64_t{value}) {}
  Attribute(std::string name, std::string value);
  Attribute(std::string name, const char* value) : Attribute(std::move(name), std::string(value)) {}
  Attribute(std::string name, Tensor value);
  Attribute(std::string name, std::unique_ptr<Graph> value);
  Attribute(std::string name, std::vector<float> value);
  Attribute(std::string name, std::vector<int64_t> value);
  Attribute(std::string name, std::vector<std::string> value);
  ~Attribute();
  Attribute(Attribute&&) noexcept;
  Attribute& operator=(Attribute&&) noexcept;

  // Copies everything but subgraphs; an attribute with graphs must be cloned with ir/clone.h.
  Attribute copy_without_graphs() const;
};

}  // namespace fettle::ir
