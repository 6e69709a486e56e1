// What becomes of the sums of a panel in registers of 256 bits. Included by the variants for AVX2,
// inside their namespace, after byte_kernel_body.h.

constexpr int64_t kHalf = 8;  // columns of a register

// Stores the first `n` (at most 16) bytes.
FETTLE_INLINE void store_first(__m128i v, uint8_t* to, int64_t n) {
  if (n >= kPanel) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
  } else {
    store_lanes(reinterpret_cast<Bytes>(v), to, n);
  }
}

// Makes bytes of the sums of kHalves halves of a panel, two rows at a time.
template <int kHalves, bool kCorrected>
void finish_bytes(const ByteBlock& b, const __m256i (*sums)[2], int64_t row, int64_t rows,
                  int64_t column) {
  const ByteResult r = b.result;  // which no store can change
  const Rounded rounded(r.zero_point, r.lowest < 0);
  const auto high = static_cast<float>(r.highest - r.zero_point);
  const int64_t n = b.columns - column;
  const int64_t stride = b.out_stride;
  uint8_t* to = static_cast<uint8_t*>(b.out) + row * stride + column;
  __m256i bias[kHalves], zeros[kHalves];
  __m256 multiplier[kHalves];
#pragma GCC unroll 2
  for (int h = 0; h < kHalves; ++h) {
    const int64_t at = column + h * kHalf;
    bias[h] = load_lanes(r.bias + at);
    if constexpr (kCorrected) zeros[h] = load_lanes(r.column_zero + at);
    multiplier[h] = _mm256_loadu_ps(r.multiplier + at);
  }
  const auto steps = [&](int64_t i, int h) __attribute__((always_inline)) {
    const int half = h < kHalves ? h : 0;
    __m256i acc = _mm256_add_epi32(sums[i][half], bias[half]);
    if constexpr (kCorrected) {
      const __m256i term = _mm256_set1_epi32(r.row_term[row + i]);
      acc = _mm256_add_epi32(acc, _mm256_mullo_epi32(term, zeros[half]));
    }
    return steps_near(acc, multiplier[half], high);
  };
  for (int64_t i = 0; i < rows; i += 2, to += 2 * stride) {
    const int64_t second = i + 1 < rows ? i + 1 : i;
    const __m256i four[4] = {steps(i, 0), steps(i, 1), steps(second, 0), steps(second, 1)};
    const __m256i bytes = span_bytes(four, rounded);
    store_first(_mm256_castsi256_si128(bytes), to, n);
    if (second != i) store_first(_mm256_extracti128_si256(bytes, 1), to + stride, n);
  }
}

template <int kHalves>
void finish_panel(const ByteBlock& b, const __m256i (*sums)[2], int64_t row, int64_t rows,
                  int64_t column) {
  if (b.result.kind == ByteResult::Kind::kBytes) {
    return b.result.column_zero != nullptr
               ? finish_bytes<kHalves, true>(b, sums, row, rows, column)
               : finish_bytes<kHalves, false>(b, sums, row, rows, column);
  }
  for (int64_t i = 0; i < rows; ++i) {
    __m256i both[2] = {sums[i][0], sums[i][kHalves - 1]};
    Int acc[1] = {load_ints(both)};
    finish_row(acc, b, b.result, row + i, column);
  }
}
