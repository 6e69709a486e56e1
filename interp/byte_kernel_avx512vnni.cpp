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

inline __attribute__((always_inline)) Bytes low_bytes(const Int& v) {
  return reinterpret_cast<Bytes>(_mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(v)));
}

inline __attribute__((always_inline)) Int round_between(Float v, Float low, Float high) {
  const __m512 above = _mm512_max_ps(reinterpret_cast<__m512>(v), reinterpret_cast<__m512>(low));
  return reinterpret_cast<Int>(
      _mm512_cvtps_epi32(_mm512_min_ps(above, reinterpret_cast<__m512>(high))));
}

// Above the range of int32 the conversion would change the sign.
inline __attribute__((always_inline)) Int round_near(Float v, Float, Float high) {
  return reinterpret_cast<Int>(_mm512_cvtps_epi32(
      _mm512_min_ps(reinterpret_cast<__m512>(v), reinterpret_cast<__m512>(high))));
}

// Groups of four bytes so that unpacking within the parts of 128 bits leaves them in order.
inline __attribute__((always_inline)) __m512i spread(const uint8_t* row, __m512i flip) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, _mm512_xor_si512(_mm512_loadu_si512(row), flip));
}

inline __attribute__((always_inline)) void gather_span(const uint8_t* const (&rows)[4], int64_t at,
                                                       uint8_t flip, uint8_t* to) {
  const __m512i flips = _mm512_set1_epi8(static_cast<char>(flip));
  const __m512i r0 = spread(rows[0] + at, flips);
  const __m512i r1 = spread(rows[1] + at, flips);
  const __m512i r2 = spread(rows[2] + at, flips);
  const __m512i r3 = spread(rows[3] + at, flips);
  const __m512i low01 = _mm512_unpacklo_epi8(r0, r1);
  const __m512i high01 = _mm512_unpackhi_epi8(r0, r1);
  const __m512i low23 = _mm512_unpacklo_epi8(r2, r3);
  const __m512i high23 = _mm512_unpackhi_epi8(r2, r3);
  _mm512_storeu_si512(to, _mm512_unpacklo_epi16(low01, low23));
  _mm512_storeu_si512(to + 64, _mm512_unpackhi_epi16(low01, low23));
  _mm512_storeu_si512(to + 128, _mm512_unpacklo_epi16(high01, high23));
  _mm512_storeu_si512(to + 192, _mm512_unpackhi_epi16(high01, high23));
}

// Four vectors of steps as 64 bytes, each lane of 128 bits by itself.
inline __attribute__((always_inline)) __m512i saturated_bytes(const Int (&v)[4], int32_t zero,
                                                              bool is_signed) {
  const __m512i zeros = _mm512_set1_epi16(static_cast<int16_t>(zero));
  const __m512i low = _mm512_adds_epi16(
      _mm512_packs_epi32(reinterpret_cast<__m512i>(v[0]), reinterpret_cast<__m512i>(v[1])), zeros);
  const __m512i high = _mm512_adds_epi16(
      _mm512_packs_epi32(reinterpret_cast<__m512i>(v[2]), reinterpret_cast<__m512i>(v[3])), zeros);
  return is_signed ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
}

template <int kPanels>
inline __attribute__((always_inline)) void store_columns(const Int (&v)[kPanels], int32_t zero,
                                                         bool is_signed, uint8_t* to, int64_t n) {
  const Int four[4] = {v[0], v[1], v[kPanels > 2 ? 2 : 0], v[kPanels > 3 ? 3 : 0]};
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i bytes = _mm512_permutexvar_epi32(order, saturated_bytes(four, zero, is_signed));
  constexpr int64_t kWhole = kPanels * kPanel;
  if (n >= kWhole && kPanels == 4) {
    _mm512_storeu_si512(to, bytes);
  } else if (n >= kWhole && kPanels == 2) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(bytes));
  } else {
    _mm512_mask_storeu_epi8(to, (__mmask64{1} << (n < kWhole ? n : kWhole)) - 1, bytes);
  }
}

template <int kRows, int kPanels>
inline __attribute__((always_inline)) void store_rows(const Int (&v)[4], int32_t zero,
                                                      bool is_signed, uint8_t* to, int64_t stride,
                                                      int64_t n) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i bytes = _mm512_permutexvar_epi32(order, saturated_bytes(v, zero, is_signed));
  constexpr int64_t kWhole = kPanels * kPanel;
  if (kRows * kPanels == 4 && n >= kWhole && stride == kWhole) {
    _mm512_storeu_si512(to, bytes);
  } else if constexpr (kPanels == 2) {
    const __mmask32 lanes = n < kWhole ? (__mmask32{1} << n) - 1 : ~__mmask32{0};
    _mm256_mask_storeu_epi8(to, lanes, _mm512_castsi512_si256(bytes));
    if (kRows < 2) return;
    _mm256_mask_storeu_epi8(to + stride, lanes, _mm512_extracti64x4_epi64(bytes, 1));
  } else {
    const auto lanes = static_cast<__mmask16>(n < kWhole ? (1 << n) - 1 : 0xffff);
    _mm_mask_storeu_epi8(to, lanes, _mm512_castsi512_si128(bytes));
    if (kRows < 2) return;
    _mm_mask_storeu_epi8(to + stride, lanes, _mm512_extracti32x4_epi32(bytes, 1));
    if (kRows < 4) return;
    _mm_mask_storeu_epi8(to + 2 * stride, lanes, _mm512_extracti32x4_epi32(bytes, 2));
    _mm_mask_storeu_epi8(to + 3 * stride, lanes, _mm512_extracti32x4_epi32(bytes, 3));
  }
}

using Lanes = Int;
constexpr int64_t kTaps = 4;
constexpr int kTogether = 4;

inline __attribute__((always_inline)) Lanes multiply_add(const Lanes& acc, const Lanes& x,
                                                         const Lanes& w) {
  return dot(acc, x, w);
}

inline __attribute__((always_inline)) Lanes steps_near(const Lanes& acc, const float* multiplier,
                                                       float high) {
  const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(reinterpret_cast<__m512i>(acc)),
                                      _mm512_loadu_ps(multiplier));
  return round_near(reinterpret_cast<Float>(scaled), Float{}, Float{} + high);
}

// Signed bytes are unsigned ones, 128 steps higher, with their highest bit inverted.
struct Rounded {
  Rounded() = default;
  Rounded(int32_t zero, bool is_signed)
      : zeros(_mm512_set1_epi16(static_cast<int16_t>(is_signed ? zero + 128 : zero))),
        flip(_mm512_set1_epi8(static_cast<char>(is_signed ? 0x80 : 0))) {}
  __m512i zeros, flip;
};

inline __attribute__((always_inline)) void store_span(const Lanes (&v)[4], const Rounded& r,
                                                      uint8_t* to, int64_t n) {
  const auto words = [&](int i) __attribute__((always_inline)) {
    return _mm512_adds_epi16(
        _mm512_packs_epi32(reinterpret_cast<__m512i>(v[i]), reinterpret_cast<__m512i>(v[i + 1])),
        r.zeros);
  };
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i mixed = _mm512_xor_si512(_mm512_packus_epi16(words(0), words(2)), r.flip);
  const __m512i bytes = _mm512_permutexvar_epi32(order, mixed);
  if (n == kSpan) {
    _mm512_storeu_si512(to, bytes);
  } else {
    _mm512_mask_storeu_epi8(to, (__mmask64{1} << n) - 1, bytes);
  }
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
#include "interp/byte_product_body.h"

}  // namespace

const ByteKernels kByteKernelsAvx512Vnni{multiply,  pack,      sum,   gather,
                                         depthwise, map_bytes, kTaps, "bytes:avx512_vnni"};

}  // namespace fettle::interp

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
