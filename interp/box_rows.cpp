#include "interp/box_rows.h"

#include <algorithm>
#include <cstring>

#include "interp/simd.h"

namespace fettle::interp {
namespace {

struct Wide {
  uint64_t words[2];
};

template <typename T>
inline T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <typename T>
inline void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

template <typename T>
void fill_rows(const std::byte* from, std::byte* to, const BoxPlane& p, int64_t begin,
               int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const T value = load<T>(from + r * p.from_row);
    std::byte* row = to + r * p.to_row;
    for (int64_t c = 0; c < p.columns; ++c) store(row + c * static_cast<int64_t>(sizeof(T)), value);
  }
}

template <typename T>
void strided_rows(const std::byte* from, std::byte* to, const BoxPlane& p, int64_t begin,
                  int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const std::byte* source = from + r * p.from_row;
    std::byte* target = to + r * p.to_row;
    for (int64_t c = 0; c < p.columns; ++c) {
      store(target + c * p.to_column, load<T>(source + c * p.from_column));
    }
  }
}

// to[c] = from[c * step] with a step known when compiling.
template <typename T, int64_t step>
[[gnu::always_inline]] inline void stepped(const std::byte* from, std::byte* to, const BoxPlane& p,
                                           int64_t begin, int64_t end) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  for (int64_t r = begin; r < end; ++r) {
    const std::byte* source = from + r * p.from_row;
    std::byte* target = to + r * p.to_row;
    for (int64_t c = 0; c < p.columns; ++c) {
      store(target + c * kSize, load<T>(source + c * step * kSize));
    }
  }
}
FETTLE_VECTORIZED void every_second_1(const std::byte* from, std::byte* to, const BoxPlane& p,
                                      int64_t begin, int64_t end) {
  stepped<uint8_t, 2>(from, to, p, begin, end);
}
FETTLE_VECTORIZED void every_second_4(const std::byte* from, std::byte* to, const BoxPlane& p,
                                      int64_t begin, int64_t end) {
  stepped<uint32_t, 2>(from, to, p, begin, end);
}
FETTLE_VECTORIZED void reversed_4(const std::byte* from, std::byte* to, const BoxPlane& p,
                                  int64_t begin, int64_t end) {
  stepped<uint32_t, -1>(from, to, p, begin, end);
}

// Rows of few columns that follow each other in the output: to[r * n + c] = from_c[r].
template <typename T, int64_t n>
[[gnu::always_inline]] inline void interleaved(const std::byte* from, std::byte* to,
                                               const BoxPlane& p, int64_t begin, int64_t end) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  for (int64_t r = begin; r < end; ++r) {
    for (int64_t c = 0; c < n; ++c) {
      store(to + (r * n + c) * kSize, load<T>(from + c * p.from_column + r * kSize));
    }
  }
}
FETTLE_VECTORIZED void pairs_1(const std::byte* from, std::byte* to, const BoxPlane& p,
                               int64_t begin, int64_t end) {
  interleaved<uint8_t, 2>(from, to, p, begin, end);
}
FETTLE_VECTORIZED void pairs_4(const std::byte* from, std::byte* to, const BoxPlane& p,
                               int64_t begin, int64_t end) {
  interleaved<uint32_t, 2>(from, to, p, begin, end);
}
FETTLE_VECTORIZED void triples_4(const std::byte* from, std::byte* to, const BoxPlane& p,
                                 int64_t begin, int64_t end) {
  interleaved<uint32_t, 3>(from, to, p, begin, end);
}

// --- Transpositions --------------------------------------------------------------------------

template <typename T>
struct Lanes {
  static constexpr int64_t kCount = 16 / static_cast<int64_t>(sizeof(T));
  typedef T Vector __attribute__((vector_size(16)));
};

// a[0], b[0], a[1], b[1], ... of the lower or upper halves.
template <typename T, bool upper>
inline typename Lanes<T>::Vector zip(typename Lanes<T>::Vector a, typename Lanes<T>::Vector b) {
  constexpr int n = Lanes<T>::kCount;
  constexpr int s = upper ? n / 2 : 0;
  if constexpr (n == 2) {
    return __builtin_shufflevector(a, b, s, n + s);
  } else if constexpr (n == 4) {
    return __builtin_shufflevector(a, b, s, n + s, s + 1, n + s + 1);
  } else if constexpr (n == 8) {
    return __builtin_shufflevector(a, b, s, n + s, s + 1, n + s + 1, s + 2, n + s + 2, s + 3,
                                   n + s + 3);
  } else {
    return __builtin_shufflevector(a, b, s, n + s, s + 1, n + s + 1, s + 2, n + s + 2, s + 3,
                                   n + s + 3, s + 4, n + s + 4, s + 5, n + s + 5, s + 6, n + s + 6,
                                   s + 7, n + s + 7);
  }
}

// A square of as many rows as a vector has lanes: zipping row i with row i + n / 2 rotates the
// bits of an element's place by one, so that log2(n) rounds exchange rows and columns.
template <typename T>
inline void transpose_square(const std::byte* from, int64_t from_step, std::byte* to,
                             int64_t to_step) {
  constexpr int64_t n = Lanes<T>::kCount;
  using Vector = typename Lanes<T>::Vector;
  Vector a[n];
  for (int64_t i = 0; i < n; ++i) a[i] = load<Vector>(from + i * from_step);
  for (int64_t round = 1; round < n; round *= 2) {
    Vector b[n];
    for (int64_t i = 0; i < n / 2; ++i) {
      b[2 * i] = zip<T, false>(a[i], a[i + n / 2]);
      b[2 * i + 1] = zip<T, true>(a[i], a[i + n / 2]);
    }
    for (int64_t i = 0; i < n; ++i) a[i] = b[i];
  }
  for (int64_t i = 0; i < n; ++i) store(to + i * to_step, a[i]);
}

// Rows are contiguous in the output, columns in the input. Strips of rows are one cache line of
// the input wide.
template <typename T>
void transposed_rows(const std::byte* from, std::byte* to, const BoxPlane& p, int64_t begin,
                     int64_t end) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  constexpr int64_t n = Lanes<T>::kCount;
  constexpr int64_t kStrip = 64 / kSize;
  const auto scalar = [&](int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    for (int64_t r = r0; r < r1; ++r) {
      for (int64_t c = c0; c < c1; ++c) {
        store(to + r * p.to_row + c * kSize, load<T>(from + r * kSize + c * p.from_column));
      }
    }
  };
  const int64_t whole = p.columns / n * n;
  for (int64_t r0 = begin; r0 < end; r0 += kStrip) {
    const int64_t r1 = std::min(end, r0 + kStrip);
    const int64_t squares = r0 + (r1 - r0) / n * n;
    for (int64_t c = 0; c < whole; c += n) {
      for (int64_t r = r0; r < squares; r += n) {
        transpose_square<T>(from + r * kSize + c * p.from_column, p.from_column,
                            to + r * p.to_row + c * kSize, p.to_row);
      }
    }
    scalar(squares, r1, 0, whole);
    scalar(r0, r1, whole, p.columns);
  }
}

template <typename T>
BoxRows transposition() {
  if constexpr (sizeof(T) <= 8) return transposed_rows<T>;
  return strided_rows<T>;
}

template <typename T>
BoxRows rows_of(const BoxPlane& p) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  if (p.to_column != kSize) return strided_rows<T>;
  if (p.from_column == 0) return fill_rows<T>;
  if (p.from_row == kSize && p.to_row == p.columns * kSize) {
    if (sizeof(T) == 1 && p.columns == 2) return pairs_1;
    if (sizeof(T) == 4 && p.columns == 2) return pairs_4;
    if (sizeof(T) == 4 && p.columns == 3) return triples_4;
  }
  if (p.from_row == kSize && p.columns > 1) return transposition<T>();
  if (sizeof(T) == 1 && p.from_column == 2) return every_second_1;
  if (sizeof(T) == 4 && p.from_column == 8) return every_second_4;
  if (sizeof(T) == 4 && p.from_column == -4) return reversed_4;
  return strided_rows<T>;
}

}  // namespace

void copy_runs(const std::byte* from, std::byte* to, const BoxPlane& p, int64_t begin,
               int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    std::memcpy(to + r * p.to_row, from + r * p.from_row, p.run);
  }
}

BoxRows element_rows(size_t width, const BoxPlane& plane) {
  switch (width) {
    case 1:
      return rows_of<uint8_t>(plane);
    case 2:
      return rows_of<uint16_t>(plane);
    case 4:
      return rows_of<uint32_t>(plane);
    case 8:
      return rows_of<uint64_t>(plane);
    default:
      return rows_of<Wide>(plane);
  }
}

}  // namespace fettle::interp
