// What byte_kernel_body.h and byte_depthwise_body.h ask for in registers of 256 bits, but for what
// needs 8-bit dot products. Included by the variants for AVX2, inside their namespace.

struct Halves {
  __m256i low, high;
};
inline __attribute__((always_inline)) Halves halves(const Int& v) {
  Halves h;
  __builtin_memcpy(&h, &v, sizeof h);
  return h;
}
inline __attribute__((always_inline)) Int whole(const Halves& h) {
  Int v;
  __builtin_memcpy(&v, &h, sizeof v);
  return v;
}

inline __attribute__((always_inline)) Bytes low_bytes(const Int& v) {
  const Halves h = halves(v);
  const __m256i mask = _mm256_set1_epi32(0xff);
  const __m256i words =
      _mm256_packus_epi32(_mm256_and_si256(h.low, mask), _mm256_and_si256(h.high, mask));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
  return reinterpret_cast<Bytes>(
      _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
}

inline __attribute__((always_inline)) Int round_between(Float v, Float low, Float high) {
  const Float shift = Float{} + 12582912.0f;
  v = v > low ? v : low;
  v = v < high ? v : high;
  return __builtin_convertvector((v + shift) - shift, Int);
}

inline __attribute__((always_inline)) Int round_near(Float v, Float low, Float high) {
  return round_between(v, low, high);
}

using Lanes = __m256i;
constexpr int kTogether = 3;

inline __attribute__((always_inline)) Lanes steps_near(Lanes acc, __m256 multiplier, float high) {
  const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), multiplier);
  return _mm256_cvtps_epi32(_mm256_min_ps(scaled, _mm256_set1_ps(high)));
}

inline __attribute__((always_inline)) Lanes steps_near(Lanes acc, const float* multiplier,
                                                       float high) {
  return steps_near(acc, _mm256_loadu_ps(multiplier), high);
}

// Signed bytes are unsigned ones, 128 steps higher, with their highest bit inverted.
struct Rounded {
  Rounded() = default;
  Rounded(int32_t zero, bool is_signed)
      : zeros(_mm256_set1_epi16(static_cast<int16_t>(is_signed ? zero + 128 : zero))),
        flip(_mm256_set1_epi8(static_cast<char>(is_signed ? 0x80 : 0))) {}
  __m256i zeros, flip;
};

// The lanes of four registers, saturated.
inline __attribute__((always_inline)) __m256i span_bytes(const Lanes (&v)[4], const Rounded& r) {
  const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(v[0], v[1]), r.zeros);
  const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(v[2], v[3]), r.zeros);
  const __m256i mixed = _mm256_xor_si256(_mm256_packus_epi16(low, high), r.flip);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  return _mm256_permutevar8x32_epi32(mixed, order);
}

inline __attribute__((always_inline)) void store_span(const Lanes (&v)[4], const Rounded& r,
                                                      uint8_t* to, int64_t n) {
  const __m256i bytes = span_bytes(v, r);
  if (n == 32) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
    return;
  }
  uint8_t rest[32];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(rest), bytes);
  int64_t at = 0;
  if (n & 16) __builtin_memcpy(to, rest, 16), at = 16;
  if (n & 8) __builtin_memcpy(to + at, rest + at, 8), at += 8;
  if (n & 4) __builtin_memcpy(to + at, rest + at, 4), at += 4;
  for (; at < n; ++at) to[at] = rest[at];
}
