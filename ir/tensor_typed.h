// The typed fields of TensorProto (float_data, int32_data, ...) to canonical bytes and back.
// Private header of ir/.
#pragma once

#include "ir/tensor.h"

namespace onnx {
class TensorProto;
}

namespace fettle::ir {

inline constexpr int kFloatDataField = 4;
inline constexpr int kInt32DataField = 5;
inline constexpr int kInt64DataField = 7;
inline constexpr int kRawDataField = 9;
inline constexpr int kDoubleDataField = 10;
inline constexpr int kUint64DataField = 11;

// Number of the field of TensorProto that holds elements of `type` (not for strings).
int typed_field(DataType type);
// The tensor whose elements stand in the field for `type`; empty fields make an empty tensor.
// Throws kBadInput for another count than `dims` ask for or values outside the type's range.
Tensor read_typed(const onnx::TensorProto& proto, DataType type, Dims dims);
void write_typed(const Tensor& tensor, onnx::TensorProto& proto);

}  // namespace fettle::ir
