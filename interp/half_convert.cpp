#include "interp/half_convert.h"

#include <algorithm>
#include <array>
#include <bit>

#include "interp/simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fettle::interp {
namespace {

using ir::Bfloat16;
using ir::Float16;

struct Float16Loops {
  void (*widen)(const Float16* x, float* y, int64_t n);
  void (*narrow)(const float* x, Float16* y, int64_t n);
  void (*round)(const float* x, float* y, int64_t n);
};

void widen_plain(const Float16* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}
void narrow_plain(const float* x, Float16* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = Float16(x[i]);
}
void round_plain(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Float16(x[i]));
}

#if defined(__x86_64__)

#define FETTLE_F16C __attribute__((target("avx,f16c")))
#define FETTLE_AVX512 __attribute__((target("avx512f")))
constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

FETTLE_F16C void widen_f16c(const Float16* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(h));
  }
  widen_plain(x + i, y + i, n - i);
}

FETTLE_F16C void narrow_f16c(const float* x, Float16* y, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), kNearest);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), h);
  }
  narrow_plain(x + i, y + i, n - i);
}

FETTLE_F16C void round_f16c(const float* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), kNearest);
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(h));
  }
  round_plain(x + i, y + i, n - i);
}

// The masked forms: the others make GCC 12 warn of uninitialized values.
constexpr __mmask16 kAll = 0xffff;

FETTLE_AVX512 void widen_avx512(const Float16* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
    _mm512_storeu_ps(y + i, _mm512_maskz_cvtph_ps(kAll, h));
  }
  widen_plain(x + i, y + i, n - i);
}

FETTLE_AVX512 void narrow_avx512(const float* x, Float16* y, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i h = _mm512_maskz_cvtps_ph(kAll, _mm512_loadu_ps(x + i), kNearest);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), h);
  }
  narrow_plain(x + i, y + i, n - i);
}

FETTLE_AVX512 void round_avx512(const float* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i h = _mm512_maskz_cvtps_ph(kAll, _mm512_loadu_ps(x + i), kNearest);
    _mm512_storeu_ps(y + i, _mm512_maskz_cvtph_ps(kAll, h));
  }
  round_plain(x + i, y + i, n - i);
}

Float16Loops loops_of_cpu() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return {widen_avx512, narrow_avx512, round_avx512};
  // CPUs with AVX2 have F16C.
  if (__builtin_cpu_supports("avx2")) return {widen_f16c, narrow_f16c, round_f16c};
  return {widen_plain, narrow_plain, round_plain};
}

#else

Float16Loops loops_of_cpu() {
  return {widen_plain, narrow_plain, round_plain};
}

#endif

const Float16Loops& float16_loops() {
  static const Float16Loops loops = loops_of_cpu();
  return loops;
}

// Bits of a float rounded to bfloat16, in the upper half.
[[gnu::always_inline]] inline uint32_t rounded_bits(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return nan ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
}

FETTLE_VECTORIZED
void widen_brain(const uint16_t* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = std::bit_cast<float>(static_cast<uint32_t>(x[i]) << 16);
}
FETTLE_VECTORIZED
void narrow_brain(const float* x, uint16_t* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<uint16_t>(rounded_bits(x[i]) >> 16);
}
FETTLE_VECTORIZED
void round_brain(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = std::bit_cast<float>(rounded_bits(x[i]) & 0xffff0000u);
}

}  // namespace

void widen_row(const Float16* x, float* y, int64_t n) {
  float16_loops().widen(x, y, n);
}
void widen_row(const Bfloat16* x, float* y, int64_t n) {
  widen_brain(&x->bits, y, n);
}
void narrow_row(const float* x, Float16* y, int64_t n) {
  float16_loops().narrow(x, y, n);
}
void narrow_row(const float* x, Bfloat16* y, int64_t n) {
  narrow_brain(x, &y->bits, n);
}
template <>
void round_row<Float16>(const float* x, float* y, int64_t n) {
  float16_loops().round(x, y, n);
}
template <>
void round_row<Bfloat16>(const float* x, float* y, int64_t n) {
  round_brain(x, y, n);
}

}  // namespace fettle::interp
