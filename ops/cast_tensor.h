// Conversion of a tensor's elements from any type to any other, by the rules of Cast.
#pragma once

#include "ir/tensor.h"
#include "ops/small_float.h"

namespace fettle::ops {

struct CastOptions {
  bool saturate = true;  // of 8-bit floats
  E8m0Rounding e8m0_rounding = E8m0Rounding::kUp;
};

// Floating to integer truncates. Where ONNX leaves out-of-range results undefined: types of 16 bits
// and less keep the low bits of the number saturated to int32, uint32 those of int64, the others
// saturate; NaN gives 0. Integer to integer keeps the low bits. Strings are read as decimal numbers
// and written as the shortest decimal that reads back equal. Throws kBadInput for strings that are
// no numbers, kUnsupported for complex types.
ir::Tensor cast_tensor(const ir::Tensor& x, ir::DataType to, const CastOptions& options = {});

}  // namespace fettle::ops
