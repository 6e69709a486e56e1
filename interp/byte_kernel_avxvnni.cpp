// Variant of byte_kernel.h for AVX2 with 8-bit dot products.
#if defined(__x86_64__)
#include <immintrin.h>

#include "interp/byte_kernel.h"
#include "interp/byte_vectors.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,avxvnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,avxvnni")
#endif

namespace fettle::interp {
namespace {

constexpr bool kWide = false;

#include "interp/byte_lanes_avx2.h"

inline __attribute__((always_inline)) Int dot(const Int& acc, const Int& a, const Int& w) {
  const Halves sum = halves(acc);
  const Halves left = halves(a);
  const Halves right = halves(w);
  return whole({_mm256_dpbusd_avx_epi32(sum.low, left.low, right.low),
                _mm256_dpbusd_avx_epi32(sum.high, left.high, right.high)});
}

constexpr int64_t kTaps = 4;

inline __attribute__((always_inline)) Lanes multiply_add(Lanes acc, Lanes x, Lanes w) {
  return _mm256_dpbusd_avx_epi32(acc, x, w);
}

inline __attribute__((always_inline)) void gather_span(const uint8_t* const (&rows)[4], int64_t at,
                                                       uint8_t flip, uint8_t* to) {
  const __m256i flips = _mm256_set1_epi8(static_cast<char>(flip));
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const auto row = [&](int r) __attribute__((always_inline)) {
      const auto* from = reinterpret_cast<const __m256i*>(rows[r] + at + 32 * h);
      return _mm256_xor_si256(_mm256_loadu_si256(from), flips);
    };
    const __m256i low01 = _mm256_unpacklo_epi8(row(0), row(1));
    const __m256i high01 = _mm256_unpackhi_epi8(row(0), row(1));
    const __m256i low23 = _mm256_unpacklo_epi8(row(2), row(3));
    const __m256i high23 = _mm256_unpackhi_epi8(row(2), row(3));
    const __m256i lanes[4] = {
        _mm256_unpacklo_epi16(low01, low23), _mm256_unpackhi_epi16(low01, low23),
        _mm256_unpacklo_epi16(high01, high23), _mm256_unpackhi_epi16(high01, high23)};
    auto* out = reinterpret_cast<__m128i*>(to + 128 * h);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      _mm_storeu_si128(out + i, _mm256_castsi256_si128(lanes[i]));
      _mm_storeu_si128(out + 4 + i, _mm256_extracti128_si256(lanes[i], 1));
    }
  }
}

void map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

#include "interp/byte_kernel_body.h"
#include "interp/byte_finish_avx2.h"
#include "interp/byte_product_avxvnni.h"

}  // namespace

const ByteKernels kByteKernelsAvxVnni{multiply,  pack,      sum,   gather,
                                      depthwise, map_bytes, kTaps, "bytes:avx2_vnni"};

}  // namespace fettle::interp

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
