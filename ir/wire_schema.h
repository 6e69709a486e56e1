// The part of onnx.proto's layout that walks over serialized messages need. Private header of ir/.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fettle::ir {

enum class MessageKind : uint8_t {
  kLeaf,  // not a message: a string, bytes or packed numbers
  kName,  // a string that names something
  kModel,
  kGraph,
  kFunction,
  kTraining,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kValueInfo,
  kType,
  kTensorType,
  kShape,
  kDimension,
  kElementType,  // a sequence's or an optional's type
  kMapType,
  kAnnotation,
  kEntry,  // StringStringEntryProto and other messages without messages inside
};

// What the length-delimited field `field` of a message of `kind` holds. Only fields that the
// message classes know: newer ones stay leaves, as they stay unparsed.
MessageKind field_kind(MessageKind kind, uint32_t field);

}  // namespace fettle::ir
