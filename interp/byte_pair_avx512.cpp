// Variant of byte_pair.h for AVX-512.
#if defined(__x86_64__)
#include <immintrin.h>

#include "interp/byte_pair.h"
#include "interp/byte_vectors.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

namespace fettle::interp {
namespace {

constexpr int64_t kLanes = 16;

inline __attribute__((always_inline)) __mmask16 lanes(int64_t n) {
  return n >= kLanes ? __mmask16{0xffff} : static_cast<__mmask16>((1u << n) - 1);
}

// Elements from `x` on, those beyond the mask zero, or the first one in all lanes.
template <int64_t kStep>
inline __attribute__((always_inline)) __m512i load(const uint8_t* x, __mmask16 mask, __m128i flip) {
  const __m128i bytes = kStep == 0 ? _mm_set1_epi8(static_cast<char>(*x))
                                   : _mm_maskz_loadu_epi8(mask, x);
  return _mm512_cvtepu8_epi32(_mm_xor_si128(bytes, flip));
}

inline __attribute__((always_inline)) __m128i byte_vector(uint8_t v) {
  return _mm_set1_epi8(static_cast<char>(v));
}

inline __attribute__((always_inline)) __m512i round_between(__m512 v, __m512 low, __m512 high) {
  return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(v, low), high));
}

template <int64_t kAStep, int64_t kBStep>
void add_run(const uint8_t* a, const uint8_t* b, const PairParameters& p, uint8_t* to, int64_t n) {
  const __m128i a_flip = byte_vector(sign_flip(p.a));
  const __m128i b_flip = byte_vector(sign_flip(p.b));
  const __m128i y_flip = byte_vector(sign_flip(p.y));
  const __m512 a_ratio = _mm512_set1_ps(p.a_ratio);
  const __m512 b_ratio = _mm512_set1_ps(p.b_ratio);
  const __m512 fixed = _mm512_set1_ps(p.fixed);
  const __m512 low = _mm512_setzero_ps();
  const __m512 high = _mm512_set1_ps(255.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    const __mmask16 mask = lanes(n - i);
    const __m512 left = _mm512_cvtepi32_ps(load<kAStep>(a + i * kAStep, mask, a_flip));
    const __m512 right = _mm512_cvtepi32_ps(load<kBStep>(b + i * kBStep, mask, b_flip));
    const __m512 sum = _mm512_fmadd_ps(right, b_ratio, _mm512_fmadd_ps(left, a_ratio, fixed));
    const __m128i bytes = _mm512_cvtepi32_epi8(round_between(sum, low, high));
    _mm_mask_storeu_epi8(to + i, mask, _mm_xor_si128(bytes, y_flip));
  }
}

template <int64_t kAStep, int64_t kBStep>
void multiply_run(const uint8_t* a, const uint8_t* b, const PairParameters& p, uint8_t* to,
                  int64_t n) {
  const __m128i a_flip = byte_vector(sign_flip(p.a));
  const __m128i b_flip = byte_vector(sign_flip(p.b));
  const __m512i a_zero = _mm512_set1_epi32(unsigned_zero(p.a));
  const __m512i b_zero = _mm512_set1_epi32(unsigned_zero(p.b));
  const __m512i y_zero = _mm512_set1_epi32(p.y.zero_point);
  const __m512 ratio = _mm512_set1_ps(p.a_ratio);
  const ops::QuantRange range = ops::quant_range(p.y.type);
  const __m512 low = _mm512_set1_ps(static_cast<float>(range.lowest - p.y.zero_point));
  const __m512 high = _mm512_set1_ps(static_cast<float>(range.highest - p.y.zero_point));
  for (int64_t i = 0; i < n; i += kLanes) {
    const __mmask16 mask = lanes(n - i);
    const __m512i left = _mm512_sub_epi32(load<kAStep>(a + i * kAStep, mask, a_flip), a_zero);
    const __m512i right = _mm512_sub_epi32(load<kBStep>(b + i * kBStep, mask, b_flip), b_zero);
    const __m512 product = _mm512_cvtepi32_ps(_mm512_mullo_epi32(left, right));
    const __m512i steps = round_between(_mm512_mul_ps(product, ratio), low, high);
    _mm_mask_storeu_epi8(to + i, mask, _mm512_cvtepi32_epi8(_mm512_add_epi32(steps, y_zero)));
  }
}

}  // namespace

void add_bytes_avx512(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                      const PairParameters& p, uint8_t* to, int64_t n) {
  with_steps(a_step, b_step, [&](auto of_a, auto of_b) {
    add_run<of_a, of_b>(a, b, p, to, n);
  });
}

void multiply_bytes_avx512(const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step,
                           const PairParameters& p, uint8_t* to, int64_t n) {
  with_steps(a_step, b_step, [&](auto of_a, auto of_b) {
    multiply_run<of_a, of_b>(a, b, p, to, n);
  });
}

}  // namespace fettle::interp

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
