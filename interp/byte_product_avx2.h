// Products of byte_kernel.h for AVX2 without 8-bit dot products. Included by that variant, inside
// its namespace, after byte_finish_avx2.h.
//
// Bytes are widened to int16 once per block of rows: the even and the odd ones of every group of
// four (a quad) apart, in activations as in weights. The innermost loop multiplies and adds pairs
// of int16 only, which is exact. A block of rows, columns and depth keeps what it widened in the
// first-level cache.

constexpr int64_t kBlockRows = 48;
constexpr int64_t kBlockQuads = 64;
constexpr int64_t kBlockPanels = 8;
constexpr int64_t kTileRows = 6;  // whose accumulators fit the registers
constexpr int64_t kExcess = 8;    // quads that may be written after the last one of a row

// What is widened, the even before the odd bytes, and the sums of a block.
struct Widened {
  alignas(64) __m256i w[2][kBlockQuads][2];
  alignas(64) uint32_t a[kBlockRows][2][kBlockQuads + kExcess];
  alignas(64) __m256i sums[kBlockPanels][kBlockRows][2];
};

// The even or odd bytes of half `h` of a quad of a panel.
template <bool kOdd>
FETTLE_INLINE __m256i widened_weights(const int8_t* packed, int h) {
  const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed) + h);
  return _mm256_srai_epi16(kOdd ? w : _mm256_slli_epi16(w, 8), 8);
}

void widen_panel(const int8_t* packed, int64_t quads, Widened& to) {
  for (int64_t q = 0; q < quads; ++q, packed += 4 * kPanel) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      to.w[0][q][h] = widened_weights<false>(packed, h);
      to.w[1][q][h] = widened_weights<true>(packed, h);
    }
  }
}

// `n` bytes of a row. Where they do not fill the last quad, it is filled with anything. If
// `beyond`, kExcess quads more are read and written.
FETTLE_INLINE void widen_run(const uint8_t* from, int64_t n, bool beyond, __m256i flip,
                             uint32_t* even, uint32_t* odd) {
  const __m256i mask = _mm256_set1_epi16(0xff);
  int64_t at = 0;
  for (; at + 32 <= n || (beyond && at < n); at += 32, even += 8, odd += 8) {
    const auto* bytes = reinterpret_cast<const __m256i*>(from + at);
    const __m256i v = _mm256_xor_si256(_mm256_loadu_si256(bytes), flip);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(even), _mm256_and_si256(v, mask));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(odd), _mm256_srli_epi16(v, 8));
  }
  const __m128i half_flip = _mm256_castsi256_si128(flip);
  if (n - at >= 16) {
    const auto* bytes = reinterpret_cast<const __m128i*>(from + at);
    const __m128i v = _mm_xor_si128(_mm_loadu_si128(bytes), half_flip);
    const __m128i low = _mm_and_si128(v, _mm256_castsi256_si128(mask));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(even), low);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(odd), _mm_srli_epi16(v, 8));
    at += 16, even += 4, odd += 4;
  }
  const auto flips = static_cast<uint32_t>(_mm_cvtsi128_si32(half_flip));
  for (; at < n; at += 4) {
    uint32_t v = 0;
    if (at + 4 <= n) {
      __builtin_memcpy(&v, from + at, sizeof v);
    } else {
      for (int64_t i = 0; at + i < n; ++i) v |= static_cast<uint32_t>(from[at + i]) << (8 * i);
    }
    *even++ = (v ^ flips) & 0x00ff00ff;
    *odd++ = (v ^ flips) >> 8 & 0x00ff00ff;
  }
}

// Quads [begin, end) of rows [row, row + rows).
void widen_rows(const ByteBlock& b, int64_t row, int64_t rows, int64_t begin, int64_t end,
                Widened& to) {
  const int64_t quads = (b.segment_bytes + 3) / 4;
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(b.flip));
  for (int64_t q = begin; q < end;) {
    const int64_t skipped = q % quads;
    const int64_t count = quads - skipped < end - q ? quads - skipped : end - q;
    const int64_t left = b.segment_bytes - 4 * skipped;
    const int64_t n = 4 * count < left ? 4 * count : left;
    const int64_t offset = b.offsets[q / quads] + 4 * skipped;
    for (int64_t r = 0; r < rows; ++r) {
      widen_run(b.rows[row + r] + offset, n, b.beyond, flip, to.a[r][0] + (q - begin),
                to.a[r][1] + (q - begin));
    }
    q += count;
  }
}

// Adds products of the even or odd bytes of quads to the sums of kRows rows from `row` on and
// kHalves halves of a panel; its weights are widened already or, if kPacked, at `packed`.
template <int kRows, int kHalves, bool kPacked, bool kOdd>
FETTLE_INLINE void add_pairs(const Widened& s, const int8_t* packed, int64_t quads, int64_t row,
                             __m256i (&acc)[kRows][kHalves]) {
  const uint32_t* a = s.a[row][kOdd];
#pragma GCC unroll 1
  for (int64_t q = 0; q < quads; ++q) {
    __m256i w[kHalves];
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) {
      w[h] = kPacked ? widened_weights<kOdd>(packed + q * 4 * kPanel, h) : s.w[kOdd][q][h];
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const uint32_t pair = a[q + 2 * r * (kBlockQuads + kExcess)];
      const __m256i left = _mm256_set1_epi32(static_cast<int32_t>(pair));
#pragma GCC unroll 2
      for (int h = 0; h < kHalves; ++h) {
        acc[r][h] = _mm256_add_epi32(acc[r][h], _mm256_madd_epi16(left, w[h]));
      }
    }
  }
}

// The sums of all quads of a block, and of earlier ones if `more`. The compiler would add the two
// products of a quad first and run out of registers if they came from one loop.
template <int kRows, int kHalves, bool kPacked>
void add_tile(const Widened& s, const int8_t* packed, int64_t quads, int64_t row, bool more,
              __m256i (*sums)[2]) {
  __m256i acc[kRows][kHalves];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) {
      acc[r][h] = more ? sums[row + r][h] : _mm256_setzero_si256();
    }
  }
  add_pairs<kRows, kHalves, kPacked, false>(s, packed, quads, row, acc);
  add_pairs<kRows, kHalves, kPacked, true>(s, packed, quads, row, acc);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) sums[row + r][h] = acc[r][h];
  }
}

// Adds `quads` quads of kHalves halves of the panel at `packed` to the sums of all rows.
template <int kHalves>
void add_panel(Widened& s, const int8_t* packed, int64_t quads, int64_t rows, bool more,
               __m256i (*sums)[2]) {
  if (rows == 1) return add_tile<1, kHalves, true>(s, packed, quads, 0, more, sums);
  if (rows == 2) return add_tile<2, kHalves, true>(s, packed, quads, 0, more, sums);
  widen_panel(packed, quads, s);
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) {
    add_tile<kTileRows, kHalves, false>(s, packed, quads, row, more, sums);
  }
  for (; row + 3 <= rows; row += 3) add_tile<3, kHalves, false>(s, packed, quads, row, more, sums);
  for (; row < rows; ++row) add_tile<1, kHalves, false>(s, packed, quads, row, more, sums);
}

// Rows [row, row + rows) of all columns.
void multiply_widened(const ByteBlock& b, int64_t row, int64_t rows, Widened& s) {
  const int64_t stride = panel_bytes(b.segments, b.segment_bytes);
  const int64_t quads = stride / (4 * kPanel);
  const int64_t panels = (b.columns + kPanel - 1) / kPanel;
  const int64_t parts = quads > 0 ? (quads + kBlockQuads - 1) / kBlockQuads : 1;
  const int64_t depth = (quads + parts - 1) / parts;
  for (int64_t first = 0; first < panels; first += kBlockPanels) {
    const int64_t last = first + kBlockPanels < panels ? first + kBlockPanels : panels;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t begin = part * depth;
      const int64_t end = begin + depth < quads ? begin + depth : quads;
      if (first == 0 || parts > 1) widen_rows(b, row, rows, begin, end, s);
      for (int64_t p = first; p < last; ++p) {
        const int8_t* packed = b.packed + p * stride + begin * 4 * kPanel;
        const auto add = b.columns - p * kPanel > kHalf ? add_panel<2> : add_panel<1>;
        add(s, packed, end - begin, rows, part > 0, s.sums[p - first]);
      }
    }
    for (int64_t p = first; p < last; ++p) {
      const auto finish = b.columns - p * kPanel > kHalf ? finish_panel<2> : finish_panel<1>;
      finish(b, s.sums[p - first], row, rows, p * kPanel);
    }
  }
}

void multiply_by_pairs(const ByteBlock& b) {
  Widened s;
  for (int64_t row = 0; row < b.row_count; row += kBlockRows) {
    const int64_t left = b.row_count - row;
    multiply_widened(b, row, left < kBlockRows ? left : kBlockRows, s);
  }
}
