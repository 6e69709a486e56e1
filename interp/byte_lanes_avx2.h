// Orders of lanes that byte_kernel_body.h asks for, as halves of 256 bits. Included by the variants
// for AVX2, inside their namespace and after `halves` and `whole`.

inline __attribute__((always_inline)) void interleave_rows(const uint8_t* const (&rows)[4],
                                                           Int (&out)[4]) {
  __m256i parts[4][2];
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const auto row = [&](int i) __attribute__((always_inline)) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i] + 32 * h));
    };
    const __m256i low01 = _mm256_unpacklo_epi8(row(0), row(1));
    const __m256i high01 = _mm256_unpackhi_epi8(row(0), row(1));
    const __m256i low23 = _mm256_unpacklo_epi8(row(2), row(3));
    const __m256i high23 = _mm256_unpackhi_epi8(row(2), row(3));
    parts[0][h] = _mm256_unpacklo_epi16(low01, low23);
    parts[1][h] = _mm256_unpackhi_epi16(low01, low23);
    parts[2][h] = _mm256_unpacklo_epi16(high01, high23);
    parts[3][h] = _mm256_unpackhi_epi16(high01, high23);
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) out[r] = whole({parts[r][0], parts[r][1]});
}

inline __attribute__((always_inline)) __m256i saturated_half(__m256i a, __m256i b, __m256i c,
                                                             __m256i d, int32_t zero,
                                                             bool is_signed) {
  const __m256i zeros = _mm256_set1_epi16(static_cast<int16_t>(zero));
  const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(a, b), zeros);
  const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(c, d), zeros);
  return is_signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
}

inline __attribute__((always_inline)) void store_places(const Int (&v)[4], int32_t zero,
                                                        bool is_signed, uint8_t* to, int64_t n) {
  const Halves a = halves(v[0]);
  const Halves b = halves(v[1]);
  const Halves c = halves(v[2]);
  const Halves d = halves(v[3]);
  const Halves bytes{saturated_half(a.low, b.low, c.low, d.low, zero, is_signed),
                     saturated_half(a.high, b.high, c.high, d.high, zero, is_signed)};
  __builtin_memcpy(to, &bytes, n == kSpan ? sizeof bytes : static_cast<size_t>(n));
}
