// Products of byte_kernel.h with dot products of four bytes. Included by the variants, inside their
// namespace, after byte_kernel_body.h.

// Makes bytes of the sums of one or two panels, several rows at a time; not with column_zero.
template <int kRows, int kPanels>
FETTLE_INLINE void finish_narrow(const Int (&acc)[kRows][kPanels], const ByteBlock& b,
                                 const ByteResult& r, int64_t row, int64_t column) {
  constexpr int kStored = 4 / kPanels;  // rows
  const Float low = broadcast(static_cast<float>(r.lowest - r.zero_point));
  const Float high = broadcast(static_cast<float>(r.highest - r.zero_point));
  Int bias[kPanels];
  Float multiplier[kPanels];
#pragma GCC unroll 2
  for (int p = 0; p < kPanels; ++p) {
    bias[p] = load_ints(r.bias + column + p * kPanel);
    multiplier[p] = load_floats(r.multiplier + column + p * kPanel);
  }
  const int64_t stride = b.out_stride;
  uint8_t* to = static_cast<uint8_t*>(b.out) + row * stride + column;
#pragma GCC unroll 8
  for (int first = 0; first < kRows; first += kStored) {
    Int v[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const int p = i % kPanels;
      const int from = first + i / kPanels < kRows ? first + i / kPanels : first;
      const Int sum = acc[from][p] + bias[p];
      v[i] = round_near(__builtin_convertvector(sum, Float) * multiplier[p], low, high);
    }
    constexpr int kLeft = kRows < kStored ? kRows : kStored;
    store_rows<kLeft, kPanels>(v, r.zero_point, r.lowest < 0, to + first * stride, stride,
                               b.columns - column);
  }
}

// Sums of rows [row, row + kRows) and kPanels panels, whose weights begin at `w`.
template <int kRows, int kPanels, bool kFlip>
FETTLE_INLINE void sum_tile(const ByteBlock& b, int64_t row, const int8_t* w,
                            Int (&acc)[kRows][kPanels]) {
  const int64_t stride = panel_bytes(b.segments, b.segment_bytes);
  const int64_t quads = b.segment_bytes / 4;
  const int64_t rest = b.segment_bytes % 4;
  const Int flip = broadcast(static_cast<int32_t>(b.flip * 0x01010101u));
  const auto step = [&](const int32_t(&a)[kRows]) __attribute__((always_inline)) {
    Int weights[kPanels];
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) weights[p] = load_ints(w + p * stride);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Int left = kFlip ? broadcast(a[r]) ^ flip : broadcast(a[r]);
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) acc[r][p] = dot(acc[r][p], left, weights[p]);
    }
    w += 4 * kPanel;
  };
  for (int64_t s = 0; s < b.segments; ++s) {
    const uint8_t* from[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) from[r] = b.rows[row + r] + b.offsets[s];
    for (int64_t k = 0; k < quads; ++k) {
      int32_t a[kRows];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) __builtin_memcpy(&a[r], from[r] + 4 * k, 4);
      step(a);
    }
    if (rest == 0) continue;
    int32_t a[kRows] = {};
    if (b.beyond) {  // multiplied by zeros
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) __builtin_memcpy(&a[r], from[r] + 4 * quads, 4);
    } else {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) a[r] = last_bytes(from[r] + 4 * quads, rest);
    }
    step(a);
  }
}

// As many tiles of kRows rows from `row` on as fit, and kPanels panels from `panel` on. Returns the
// row that follows.
template <int kRows, int kPanels, bool kFlip>
int64_t multiply_tiles(const ByteBlock& block, int64_t row, int64_t panel) {
  const ByteBlock b = block;  // which no store can change
  const int8_t* w = b.packed + panel * panel_bytes(b.segments, b.segment_bytes);
  const bool narrow = kWide && kPanels <= 2 && b.result.kind == ByteResult::Kind::kBytes &&
                      b.result.column_zero == nullptr;
  for (; row + kRows <= b.row_count; row += kRows) {
    Int acc[kRows][kPanels];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) acc[r][p] = Int{};
    }
    sum_tile<kRows, kPanels, kFlip>(b, row, w, acc);
    if constexpr (kWide && kPanels <= 2) {
      if (narrow) {
        finish_narrow(acc, b, b.result, row, panel * kPanel);
        continue;
      }
    }
    // In memory from here on: the loop above needs all registers.
    Int sums[kRows][kPanels];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) sums[r][p] = acc[r][p];
    }
#pragma GCC unroll 1
    for (int r = 0; r < kRows; ++r) finish_row(sums[r], b, b.result, row + r, panel * kPanel);
  }
  return row;
}

// All rows and kPanels panels, kRows rows at a time.
template <int kRows, int kPanels, bool kFlip>
FETTLE_INLINE void multiply_rows(const ByteBlock& b, int64_t panel) {
  int64_t row = multiply_tiles<kRows, kPanels, kFlip>(b, 0, panel);
  row = multiply_tiles<2, kPanels, kFlip>(b, row, panel);
  multiply_tiles<1, kPanels, kFlip>(b, row, panel);
}

template <bool kFlip>
void multiply_block(const ByteBlock& b) {
  const int64_t panels = (b.columns + kPanel - 1) / kPanel;
  int64_t panel = 0;
  if constexpr (kWide) {
    for (; panels - panel > 5 || panels - panel == 4; panel += 4) {
      multiply_rows<6, 4, kFlip>(b, panel);
    }
    for (; panels - panel > 2; panel += 3) multiply_rows<8, 3, kFlip>(b, panel);
    for (; panels - panel > 1; panel += 2) multiply_rows<8, 2, kFlip>(b, panel);
    for (; panel < panels; ++panel) multiply_rows<8, 1, kFlip>(b, panel);
  } else {
    for (; panel < panels; ++panel) multiply_rows<4, 1, kFlip>(b, panel);
  }
}

void multiply(const ByteBlock& b) {
  if (b.flip != 0) {
    multiply_block<true>(b);
  } else {
    multiply_block<false>(b);
  }
}
