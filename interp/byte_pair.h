// Sums and products of two quantized tensors, rounded as ONNX Runtime's QLinearAdd and QLinearMul
// round them, which matters where the literal arithmetic comes out beside a tie:
//   Add: fma(b, sb / sy, fma(a, sa / sy, zy - (za sa / sy + zb sb / sy)))
//   Mul: (a - za)(b - zb) * (sa sb / sy), then + zy
#pragma once

#include <cstdint>
#include <type_traits>

#include "interp/qdq_pattern.h"

namespace fettle::interp {

// Coefficients of one pair operator, in float32 as ONNX Runtime computes them. On x86 it computes
// with uint8: signed bytes and zero points plus 128.
struct PairParameters {
  ByteTarget a, b, y;
  float a_ratio = 0.0f;
  float b_ratio = 0.0f;  // unused by Mul
  float fixed = 0.0f;    // unused by Mul
};

// What turns a byte of this type into one of the uint8 domain, and the zero point there.
inline uint8_t sign_flip(const ByteTarget& bytes) {
  return bytes.type == ir::DataType::kInt8 ? 0x80 : 0;
}
inline int32_t unsigned_zero(const ByteTarget& bytes) {
  return bytes.zero_point + sign_flip(bytes);
}

PairParameters add_parameters(const QuantizedOperand& a, const QuantizedOperand& b,
                              const QuantizedResult& y);
PairParameters multiply_parameters(const QuantizedOperand& a, const QuantizedOperand& b,
                                   const QuantizedResult& y);

// One run of n bytes; the operands advance by steps of 0 or 1.
void add_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
               const PairParameters& p, uint8_t* to, int64_t n);
void multiply_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                    const PairParameters& p, uint8_t* to, int64_t n);

// Calls run(a, b) with the steps, each 0 or 1, as constants that the compiler sees.
template <typename Run>
inline __attribute__((always_inline)) void with_steps(int64_t a_step, int64_t b_step, Run&& run) {
  constexpr std::integral_constant<int64_t, 0> kStays;
  constexpr std::integral_constant<int64_t, 1> kMoves;
  if (a_step == 1 && b_step == 1) return run(kMoves, kMoves);
  if (b_step == 1) return run(kStays, kMoves);
  if (a_step == 1) return run(kMoves, kStays);
  run(kStays, kStays);
}

#if defined(__x86_64__)
// Variants of the two.
void add_bytes_avx512(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                      const PairParameters& p, uint8_t* to, int64_t n);
void multiply_bytes_avx512(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                           const PairParameters& p, uint8_t* to, int64_t n);
#endif

}  // namespace fettle::interp
