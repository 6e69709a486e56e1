// Variant of byte_kernel.h for AVX-512 with 8-bit dot products.
#if defined(__x86_64__)
#include <immintrin.h>

#include "interp/byte_kernel.h"
#include "interp/byte_vectors.h"

#if defined(__clang__)
#pragma clang attribute push(                                                              \
    __attribute__((                                                                        \
        target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prefer-vector-width=512"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prefer-vector-width=512")
#endif

namespace fettle::interp {
namespace {

constexpr bool kWide = true;

inline __attribute__((always_inline)) Int dot(const Int& acc, const Int& a, const Int& w) {
  return reinterpret_cast<Int>(_mm512_dpbusd_epi32(
      reinterpret_cast<__m512i>(acc), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(w)));
}

inline __attribute__((always_inline)) Int unsigned_lanes(const uint8_t* from) {
  return reinterpret_cast<Int>(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
inline __attribute__((always_inline)) Int signed_lanes(const uint8_t* from) {
  return reinterpret_cast<Int>(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

inline __attribute__((always_inline)) Bytes low_bytes(const Int& v) {
  return reinterpret_cast<Bytes>(_mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(v)));
}

inline __attribute__((always_inline)) Int round_between(Float v, Float low, Float high) {
  const __m512 above = _mm512_max_ps(reinterpret_cast<__m512>(v), reinterpret_cast<__m512>(low));
  return reinterpret_cast<Int>(
      _mm512_cvtps_epi32(_mm512_min_ps(above, reinterpret_cast<__m512>(high))));
}

void map_scalar(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

// Two permutations of 128 bytes each, the high bit chooses.
__attribute__((target("avx512vbmi"))) void map_permuted(const uint8_t* table, const uint8_t* x,
                                                        int64_t n, uint8_t* y) {
  const __m512i t0 = _mm512_loadu_si512(table);
  const __m512i t1 = _mm512_loadu_si512(table + 64);
  const __m512i t2 = _mm512_loadu_si512(table + 128);
  const __m512i t3 = _mm512_loadu_si512(table + 192);
  for (int64_t i = 0; i < n; i += 64) {
    const __mmask64 lanes = n - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (n - i)) - 1;
    const __m512i at = _mm512_maskz_loadu_epi8(lanes, x + i);
    const __m512i low = _mm512_permutex2var_epi8(t0, at, t1);
    const __m512i high = _mm512_permutex2var_epi8(t2, at, t3);
    _mm512_mask_storeu_epi8(y + i, lanes,
                            _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, high));
  }
}

void map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
  static const bool permutes = __builtin_cpu_supports("avx512vbmi");
  (permutes ? map_permuted : map_scalar)(table, x, n, y);
}

#include "interp/byte_kernel_body.h"

}  // namespace

const ByteKernels kByteKernelsAvx512Vnni{multiply,  pack,      sum,
                                         depthwise, map_bytes, "bytes:avx512_vnni"};

}  // namespace fettle::interp

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
