// Encoding of 8- and 4-bit floats (ONNX's docs on float8 and float4, OCP's E8M0). Decoding is
// ir::element_as_double().
#pragma once

#include <cstdint>

#include "ir/data_type.h"

namespace fettle::ops {

enum class E8m0Rounding { kUp, kDown, kNearest };

// The 8-bit code of `value`, rounded half to even. `type` is one of the four float8 types with a
// mantissa. Beyond the greatest finite value: that value with its sign when `saturate`, else
// infinity where the type has one and NaN where it has not.
uint8_t encode_float8(ir::DataType type, double value, bool saturate);
// The power of two (code - 127) next to `value`; nearest ties go up. Zero and what lies below
// 2^-127 give code 0 when `saturate`, else NaN (255) unless rounding up reaches it; infinity and
// what lies above 2^127 give 254 or NaN. NaN and negative numbers give NaN.
uint8_t encode_float8_e8m0(double value, bool saturate, E8m0Rounding rounding);
// The 4-bit code, rounded half to even and saturated to 6; NaN gives -0, as in ONNX.
uint8_t encode_float4_e2m1(double value);

}  // namespace fettle::ops
