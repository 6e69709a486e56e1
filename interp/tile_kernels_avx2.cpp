// The kernels for x86-64 with AVX2 and FMA: tiles of 6 rows and 2 vectors of 8 floats.
#include "interp/tile_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#pragma GCC target("avx2,fma")

namespace fettle::interp {
namespace {

using Vec = __m256;
constexpr int64_t kLanes = 8;
constexpr int64_t kVectors = 2;

inline __m256i first(int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}
inline Vec zero() {
  return _mm256_setzero_ps();
}
inline Vec load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline void store(float* p, Vec v) {
  _mm256_storeu_ps(p, v);
}
inline Vec load_part(const float* p, int64_t n) {
  return _mm256_maskload_ps(p, first(n));
}
inline void store_part(float* p, Vec v, int64_t n) {
  _mm256_maskstore_ps(p, first(n), v);
}
inline Vec broadcast(float x) {
  return _mm256_set1_ps(x);
}
inline Vec multiply_add(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vec times(Vec a, Vec b) {
  return _mm256_mul_ps(a, b);
}
inline Vec add(Vec a, Vec b) {
  return _mm256_add_ps(a, b);
}
inline Vec lower(Vec a, Vec b) {
  return _mm256_min_ps(a, b);
}
inline Vec higher(Vec a, Vec b) {
  return _mm256_max_ps(a, b);
}
inline float total(Vec v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "interp/tile_kernels.inc"

}  // namespace

const TileKernels* avx2_tile_kernels() {
  return &kKernels;
}

}  // namespace fettle::interp

#else

namespace fettle::interp {
const TileKernels* avx2_tile_kernels() {
  return nullptr;
}
}  // namespace fettle::interp

#endif
