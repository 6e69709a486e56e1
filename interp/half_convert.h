// float16 and bfloat16 rows to float32 and back, in vector code where the CPU has the instructions;
// rounding, NaN and infinities as ir/float16.h has them.
#pragma once

#include <cstdint>

#include "ir/float16.h"

namespace fettle::interp {

// Signalling NaN may become quiet.
void widen_row(const ir::Float16* x, float* y, int64_t n);
void widen_row(const ir::Bfloat16* x, float* y, int64_t n);
void narrow_row(const float* x, ir::Float16* y, int64_t n);
void narrow_row(const float* x, ir::Bfloat16* y, int64_t n);

// y[i] = x[i] narrowed and widened again; y may be x.
template <typename Half>
void round_row(const float* x, float* y, int64_t n);
template <>
void round_row<ir::Float16>(const float* x, float* y, int64_t n);
template <>
void round_row<ir::Bfloat16>(const float* x, float* y, int64_t n);

}  // namespace fettle::interp
