// Loops of byte_kernel.h over vectors of sixteen lanes. Included once by each variant, inside a
// namespace of its own and under its instruction set, before the header with its products, after
// it has defined
//   kWide                     whether a vector is one register
//   dot(acc, a, w)            acc + sums of four products of bytes of a (uint8) and w (int8) per
//                             lane
//   low_bytes(v)              the low eight bits of each lane
//   round_between(v, low, high)  v between the two, rounded half to even
//   round_near(v, low, high)  the same, but what lies outside may become anything outside on that
//                             side
//   store_columns(v, zero, is_signed, to, n)  where kWide: v[p][i] + zero, saturated, to
//                             to[16 p + i], at most the first n
//   store_rows<kRows, kPanels>(v, zero, is_signed, to, stride, n)  where kWide: the same of kRows
//                             rows of one or two panels; lane i of panel p of row r is
//                             v[r kPanels + p][i]
//   map_bytes(table, x, n, y)  y[i] = table[x[i]]
#define FETTLE_INLINE inline __attribute__((always_inline))

FETTLE_INLINE Int load_ints(const void* from) {
  Int v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
FETTLE_INLINE Float load_floats(const float* from) {
  Float v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
FETTLE_INLINE Int broadcast(int32_t x) {
  return Int{} + x;
}
FETTLE_INLINE Float broadcast(float x) {
  return Float{} + x;
}

// The last `n` bytes of a segment, less than four.
inline __attribute__((noinline)) int32_t last_bytes(const uint8_t* from, int64_t n) {
  int32_t v = 0;
  for (int64_t i = 0; i < n; ++i) v |= from[i] << (8 * i);
  return v;
}

// Stores the first `n` (at most 16) lanes.
template <typename Vector, typename Element>
FETTLE_INLINE void store_lanes(const Vector& v, Element* to, int64_t n) {
  if (n >= kPanel) {
    __builtin_memcpy(to, &v, sizeof v);
  } else if (n == 8) {
    __builtin_memcpy(to, &v, sizeof v / 2);
  } else {
    Element lanes[kPanel];
    __builtin_memcpy(lanes, &v, sizeof v);
    int64_t at = 0;
    if (n & 8) __builtin_memcpy(to, lanes, 8 * sizeof(Element)), at = 8;
    if (n & 4) __builtin_memcpy(to + at, lanes + at, 4 * sizeof(Element)), at += 4;
    for (; at < n; ++at) to[at] = lanes[at];
  }
}

FETTLE_INLINE Bytes requantize(Int acc, const ByteResult& r, int64_t column) {
  const Float scaled = __builtin_convertvector(acc, Float) * load_floats(r.multiplier + column);
  const Int steps = round_between(scaled, broadcast(static_cast<float>(r.lowest - r.zero_point)),
                                  broadcast(static_cast<float>(r.highest - r.zero_point)));
  return low_bytes(steps + broadcast(r.zero_point));
}

// Stores the first `n` of sixteen columns of one row.
FETTLE_INLINE void finish(Int acc, const ByteBlock& b, const ByteResult& r, int64_t at,
                          int64_t column, int64_t n) {
  if (r.kind == ByteResult::Kind::kBytes) {
    store_lanes(requantize(acc, r, column), static_cast<uint8_t*>(b.out) + at, n);
  } else if (r.kind == ByteResult::Kind::kSums) {
    store_lanes(acc, static_cast<int32_t*>(b.out) + at, n);
  } else {
    Float v = __builtin_convertvector(acc, Float) * load_floats(r.multiplier + column);
    if (r.float_bias != nullptr) v = v + load_floats(r.float_bias + column);
    store_lanes(v, static_cast<float*>(b.out) + at, n);
  }
}

// Finishes kPanels panels of one row, from `column` on.
template <int kPanels>
FETTLE_INLINE void finish_row(Int (&acc)[kPanels], const ByteBlock& b, const ByteResult& r,
                              int64_t row, int64_t column) {
#pragma GCC unroll 8
  for (int p = 0; p < kPanels; ++p) acc[p] += load_ints(r.bias + column + p * kPanel);
  if (r.column_zero != nullptr) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
      acc[p] += broadcast(r.row_term[row]) * load_ints(r.column_zero + column + p * kPanel);
    }
  }
  const int64_t at = row * b.out_stride + column;
  const int64_t n = b.columns - column;
  if constexpr (kWide && kPanels > 1) {
    if (r.kind == ByteResult::Kind::kBytes) {
      const Float low = broadcast(static_cast<float>(r.lowest - r.zero_point));
      const Float high = broadcast(static_cast<float>(r.highest - r.zero_point));
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        const Float multiplier = load_floats(r.multiplier + column + p * kPanel);
        acc[p] = round_near(__builtin_convertvector(acc[p], Float) * multiplier, low, high);
      }
      store_columns(acc, r.zero_point, r.lowest < 0, static_cast<uint8_t*>(b.out) + at, n);
      return;
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPanels; ++p) {
    finish(acc[p], b, r, at + p * kPanel, column + p * kPanel, n - p * kPanel);
  }
}

// Four rows of sixteen bytes, turned into sixteen lanes of four.
FETTLE_INLINE Int interleave(const Bytes (&r)[4]) {
  const auto low = [](Bytes a, Bytes b) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  };
  const auto high = [](Bytes a, Bytes b) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                   31);
  };
  // The halves of each row, alternating: bytes of rows 0 and 2, then of 1 and 3.
  const Bytes even[2] = {low(r[0], r[2]), high(r[0], r[2])};
  const Bytes odd[2] = {low(r[1], r[3]), high(r[1], r[3])};
  const Bytes quads[4] = {low(even[0], odd[0]), high(even[0], odd[0]), low(even[1], odd[1]),
                          high(even[1], odd[1])};
  return load_ints(quads);
}

// Panel `panel`, rows [row, row + 4); zero beyond the matrix.
FETTLE_INLINE Int pack_quad(const BytePacking& b, int64_t row, int64_t panel) {
  const int64_t columns = b.n - panel * kPanel < kPanel ? b.n - panel * kPanel : kPanel;
  const Bytes flip = Bytes{} + b.flip;
  Bytes rows[4] = {};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    if (row + i >= b.k) continue;
    const uint8_t* from = b.from + (row + i) * b.n + panel * kPanel;
    if (columns == kPanel) {
      __builtin_memcpy(&rows[i], from, sizeof rows[i]);
      rows[i] ^= flip;
    } else {
      for (int64_t c = 0; c < columns; ++c) rows[i][c] = from[c] ^ b.flip;
    }
  }
  return interleave(rows);
}

void pack(const BytePacking& b) {
  const int64_t quads = (b.k + 3) / 4;
  const int64_t panels = (b.n + kPanel - 1) / kPanel;
  const Int ones = broadcast(int32_t{0x01010101});
  for (int64_t panel = 0; panel < panels; ++panel) {
    int8_t* to = b.packed + panel * quads * 4 * kPanel;
    Int sum = {};
    for (int64_t q = 0; q < quads; ++q) {
      const Int w = pack_quad(b, 4 * q, panel);
      __builtin_memcpy(to + q * 4 * kPanel, &w, sizeof w);
      sum = dot(sum, ones, w);
    }
    __builtin_memcpy(b.sums + panel * kPanel, &sum, sizeof sum);
  }
}

int32_t sum(const uint8_t* x, int64_t n, uint8_t flip) {
  const Int ones = broadcast(int32_t{0x01010101});
  const Int flips = broadcast(static_cast<int32_t>(flip * 0x01010101u));
  Int sums = {};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) sums = dot(sums, load_ints(x + i) ^ flips, ones);
  int32_t total = 0;
  for (int lane = 0; lane < 16; ++lane) total += sums[lane];
  for (; i < n; ++i) total += x[i] ^ flip;
  return total;
}

#include "interp/byte_depthwise_body.h"

