// Variant of byte_kernel.h for AVX2 without 8-bit dot products: pairs of bytes are widened to 16
// bits.
#if defined(__x86_64__)
#include <immintrin.h>

#include "interp/byte_kernel.h"
#include "interp/byte_vectors.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

namespace fettle::interp {
namespace {

constexpr bool kWide = false;

#include "interp/byte_lanes_avx2.h"

// Even and odd bytes apart: sums of two products of 9 by 8 bits fit 32 bits.
inline __attribute__((always_inline)) __m256i dot_half(__m256i acc, __m256i a, __m256i w) {
  const __m256i mask = _mm256_set1_epi16(0xff);
  const __m256i even =
      _mm256_madd_epi16(_mm256_and_si256(a, mask), _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(w, 8));
  return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
}

inline __attribute__((always_inline)) Int dot(const Int& acc, const Int& a, const Int& w) {
  const Halves sum = halves(acc);
  const Halves left = halves(a);
  const Halves right = halves(w);
  return whole({dot_half(sum.low, left.low, right.low), dot_half(sum.high, left.high, right.high)});
}

constexpr int64_t kTaps = 2;

inline __attribute__((always_inline)) Lanes multiply_add(Lanes acc, Lanes x, Lanes w) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w));
}

inline __attribute__((always_inline)) void gather_span(const uint8_t* const (&rows)[2], int64_t at,
                                                       uint8_t flip, uint8_t* to) {
  const __m128i flips = _mm_set1_epi8(static_cast<char>(flip));
  auto* out = reinterpret_cast<__m256i*>(to);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const auto row = [&](int r) __attribute__((always_inline)) {
      const auto* from = reinterpret_cast<const __m128i*>(rows[r] + at + 16 * i);
      return _mm_xor_si128(_mm_loadu_si128(from), flips);
    };
    const __m128i a = row(0);
    const __m128i b = row(1);
    _mm256_storeu_si256(out + 2 * i, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)));
    _mm256_storeu_si256(out + 2 * i + 1, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)));
  }
}

void map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

#include "interp/byte_kernel_body.h"
#include "interp/byte_finish_avx2.h"
#include "interp/byte_product_avx2.h"

}  // namespace

const ByteKernels kByteKernelsAvx2{multiply_by_pairs, pack,  sum,         gather, depthwise,
                                   map_bytes,         kTaps, "bytes:avx2"};

}  // namespace fettle::interp

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
