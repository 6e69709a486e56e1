// TypeProto to Type and back. Private header of ir/.
#pragma once

#include "ir/type.h"

namespace onnx {
class TypeProto;
}

namespace fettle::ir {

// What `proto` says, as far as Type models it. Unknown element types become kUndefined, dimensions
// that are neither named nor >= 0 become unknown.
Type type_from_proto(const onnx::TypeProto& proto);
// Makes `proto` say `type`; it keeps its denotation. An unknown or opaque type leaves it alone.
void type_to_proto(const Type& type, onnx::TypeProto& proto);
// True when a value of type `actual` may be declared as `declared`: the same, or less precise.
bool describes(const Type& declared, const Type& actual);

}  // namespace fettle::ir
