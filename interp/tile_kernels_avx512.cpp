// The kernels for x86-64 with AVX-512: tiles of 6 rows and 4 vectors of 16 floats.
#include "interp/tile_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")

namespace fettle::interp {
namespace {

using Vec = __m512;
constexpr int64_t kLanes = 16;
constexpr int64_t kVectors = 4;
// The unmasked forms of some intrinsics make GCC 12 warn of uninitialized values.
constexpr __mmask16 kAll = 0xffff;

inline __mmask16 first(int64_t n) {
  return static_cast<__mmask16>((1u << n) - 1u);
}
inline Vec zero() {
  return _mm512_setzero_ps();
}
inline Vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void store(float* p, Vec v) {
  _mm512_storeu_ps(p, v);
}
inline Vec load_part(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(first(n), p);
}
inline void store_part(float* p, Vec v, int64_t n) {
  _mm512_mask_storeu_ps(p, first(n), v);
}
inline Vec broadcast(float x) {
  return _mm512_set1_ps(x);
}
inline Vec multiply_add(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vec times(Vec a, Vec b) {
  return _mm512_mul_ps(a, b);
}
inline Vec add(Vec a, Vec b) {
  return _mm512_add_ps(a, b);
}
inline Vec lower(Vec a, Vec b) {
  return _mm512_maskz_min_ps(kAll, a, b);
}
inline Vec higher(Vec a, Vec b) {
  return _mm512_maskz_max_ps(kAll, a, b);
}
inline float total(Vec v) {
  const __m256 low = _mm512_maskz_extractf32x8_ps(0xff, v, 0);
  const __m256 eight = _mm256_add_ps(low, _mm512_maskz_extractf32x8_ps(0xff, v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "interp/tile_kernels.inc"

}  // namespace

const TileKernels* avx512_tile_kernels() {
  return &kKernels;
}

}  // namespace fettle::interp

#else

namespace fettle::interp {
const TileKernels* avx512_tile_kernels() {
  return nullptr;
}
}  // namespace fettle::interp

#endif
