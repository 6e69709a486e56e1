#include "interp/byte_pair.h"

#include "interp/byte_kernel.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

// True when the variant for AVX-512 serves this CPU.
bool wide() {
#if defined(__x86_64__)
  static const bool has = &byte_kernels() == &kByteKernelsAvx512Vnni;
  return has;
#else
  return false;
#endif
}

template <int64_t kAStep, int64_t kBStep>
inline __attribute__((always_inline)) void add_run(const uint8_t* __restrict a,
                                                   const uint8_t* __restrict b,
                                                   const PairParameters& p, uint8_t* __restrict to,
                                                   int64_t n) {
  const uint8_t a_flip = sign_flip(p.a);
  const uint8_t b_flip = sign_flip(p.b);
  const uint8_t y_flip = sign_flip(p.y);
  const ops::QuantRange range{0, 255};
  const float a_ratio = p.a_ratio;
  const float b_ratio = p.b_ratio;
  const float fixed = p.fixed;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const auto left = static_cast<float>(static_cast<int32_t>(a[i * kAStep] ^ a_flip));
    const auto right = static_cast<float>(static_cast<int32_t>(b[i * kBStep] ^ b_flip));
    const float sum = __builtin_fmaf(right, b_ratio, __builtin_fmaf(left, a_ratio, fixed));
    to[i] = static_cast<uint8_t>(ops::round_and_saturate(sum, 0, range)) ^ y_flip;
  }
}

template <int64_t kAStep, int64_t kBStep>
inline __attribute__((always_inline)) void multiply_run(const uint8_t* __restrict a,
                                                        const uint8_t* __restrict b,
                                                        const PairParameters& p,
                                                        uint8_t* __restrict to, int64_t n) {
  const uint8_t a_flip = sign_flip(p.a);
  const uint8_t b_flip = sign_flip(p.b);
  const int32_t a_zero = unsigned_zero(p.a);
  const int32_t b_zero = unsigned_zero(p.b);
  const int32_t y_zero = p.y.zero_point;
  const float ratio = p.a_ratio;
  const ops::QuantRange range = ops::quant_range(p.y.type);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const int32_t left = (a[i * kAStep] ^ a_flip) - a_zero;
    const int32_t right = (b[i * kBStep] ^ b_flip) - b_zero;
    to[i] = static_cast<uint8_t>(ops::requantize_one(left * right, ratio, y_zero, range));
  }
}

// Fused multiply-add is an instruction in the first two; elsewhere it is the library's function.
FETTLE_FOR("arch=x86-64-v4", "arch=x86-64-v3", "default")
void add_portably(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                  const PairParameters& p, uint8_t* to, int64_t n) {
  with_steps(a_step, b_step, [&](auto of_a, auto of_b) FETTLE_INLINED {
    add_run<of_a, of_b>(a, b, p, to, n);
  });
}

FETTLE_VECTORIZED
void multiply_portably(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                       const PairParameters& p, uint8_t* to, int64_t n) {
  with_steps(a_step, b_step, [&](auto of_a, auto of_b) FETTLE_INLINED {
    multiply_run<of_a, of_b>(a, b, p, to, n);
  });
}

}  // namespace

PairParameters add_parameters(const QuantizedOperand& a, const QuantizedOperand& b,
                              const QuantizedResult& y) {
  PairParameters p{a.bytes, b.bytes, y.bytes, a.scale / y.scale, b.scale / y.scale, 0.0f};
  p.fixed = static_cast<float>(unsigned_zero(y.bytes) -
                               (static_cast<double>(p.a_ratio) * unsigned_zero(a.bytes) +
                                static_cast<double>(p.b_ratio) * unsigned_zero(b.bytes)));
  return p;
}

PairParameters multiply_parameters(const QuantizedOperand& a, const QuantizedOperand& b,
                                   const QuantizedResult& y) {
  return {a.bytes, b.bytes, y.bytes, a.scale * b.scale / y.scale, 0.0f, 0.0f};
}

void add_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
               const PairParameters& p, uint8_t* to, int64_t n) {
#if defined(__x86_64__)
  if (wide()) return add_bytes_avx512(a, a_step, b, b_step, p, to, n);
#endif
  add_portably(a, a_step, b, b_step, p, to, n);
}

void multiply_bytes(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                    const PairParameters& p, uint8_t* to, int64_t n) {
#if defined(__x86_64__)
  if (wide()) return multiply_bytes_avx512(a, a_step, b, b_step, p, to, n);
#endif
  multiply_portably(a, a_step, b, b_step, p, to, n);
}

}  // namespace fettle::interp
