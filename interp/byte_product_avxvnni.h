// Products of byte_kernel.h for AVX2 with 8-bit dot products. Included by that variant, inside its
// namespace, after byte_finish_avx2.h.

constexpr int64_t kBlockRows = 48;
constexpr int64_t kTileRows = 6;  // whose accumulators fit the registers

// Adds the products of a quad of kRows rows and kHalves halves of the panel at `w`.
template <bool kFlip, int kRows, int kHalves>
FETTLE_INLINE void add_quad(const int32_t (&a)[kRows], const int8_t* w, __m256i flip,
                            __m256i (&acc)[kRows][kHalves]) {
  __m256i weights[kHalves];
#pragma GCC unroll 2
  for (int h = 0; h < kHalves; ++h) weights[h] = load_lanes(w + 4 * kHalf * h);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const __m256i all = _mm256_set1_epi32(a[r]);
    const __m256i left = kFlip ? _mm256_xor_si256(all, flip) : all;
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) acc[r][h] = multiply_add(acc[r][h], left, weights[h]);
  }
}

// Sums of kRows rows from `row` on and kHalves halves of the panel at `w`.
template <int kRows, int kHalves, bool kFlip>
void sum_tile(const ByteBlock& b, int64_t row, const int8_t* w, __m256i (*sums)[2]) {
  const int64_t quads = b.segment_bytes / 4;
  const int64_t rest = b.segment_bytes % 4;
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(b.flip));
  __m256i acc[kRows][kHalves] = {};
  for (int64_t s = 0; s < b.segments; ++s) {
    const uint8_t* from[kRows];
    int32_t a[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) from[r] = b.rows[row + r] + b.offsets[s];
    for (int64_t k = 0; k < quads; ++k, w += 4 * kPanel) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) __builtin_memcpy(&a[r], from[r] + 4 * k, 4);
      add_quad<kFlip>(a, w, flip, acc);
    }
    if (rest == 0) continue;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      if (b.beyond) {  // multiplied by zeros
        __builtin_memcpy(&a[r], from[r] + 4 * quads, 4);
      } else {
        a[r] = last_bytes(from[r] + 4 * quads, rest);
      }
    }
    add_quad<kFlip>(a, w, flip, acc);
    w += 4 * kPanel;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) sums[r][h] = acc[r][h];
  }
}

// Rows [row, row + rows) of the panel of `column`.
template <int kHalves, bool kFlip>
void multiply_panel(const ByteBlock& b, int64_t row, int64_t rows, int64_t column) {
  alignas(64) __m256i sums[kBlockRows][2];
  const int8_t* w = b.packed + column / kPanel * panel_bytes(b.segments, b.segment_bytes);
  int64_t r = 0;
  for (; r + kTileRows <= rows; r += kTileRows) {
    sum_tile<kTileRows, kHalves, kFlip>(b, row + r, w, sums + r);
  }
  for (; r + 3 <= rows; r += 3) sum_tile<3, kHalves, kFlip>(b, row + r, w, sums + r);
  for (; r < rows; ++r) sum_tile<1, kHalves, kFlip>(b, row + r, w, sums + r);
  finish_panel<kHalves>(b, sums, row, rows, column);
}

template <bool kFlip>
void multiply_block(const ByteBlock& b) {
  for (int64_t row = 0; row < b.row_count; row += kBlockRows) {
    const int64_t rows = b.row_count - row < kBlockRows ? b.row_count - row : kBlockRows;
    for (int64_t column = 0; column < b.columns; column += kPanel) {
      if (b.columns - column > kHalf) {
        multiply_panel<2, kFlip>(b, row, rows, column);
      } else {
        multiply_panel<1, kFlip>(b, row, rows, column);
      }
    }
  }
}

void multiply(const ByteBlock& b) {
  b.flip != 0 ? multiply_block<true>(b) : multiply_block<false>(b);
}
