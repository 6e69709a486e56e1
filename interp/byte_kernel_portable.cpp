// Variant of byte_kernel.h for any CPU.
#include "interp/byte_kernel.h"
#include "interp/byte_vectors.h"

namespace fettle::interp {
namespace {

constexpr bool kWide = false;

inline Int dot(Int acc, const Int& a, const Int& w) {
  uint8_t left[64];
  int8_t right[64];
  __builtin_memcpy(left, &a, sizeof left);
  __builtin_memcpy(right, &w, sizeof right);
  for (int i = 0; i < 16; ++i) {
    for (int k = 4 * i; k < 4 * i + 4; ++k) acc[i] += left[k] * right[k];
  }
  return acc;
}

inline Bytes low_bytes(const Int& v) {
  Bytes b;
  for (int i = 0; i < 16; ++i) b[i] = static_cast<uint8_t>(v[i]);
  return b;
}

inline __attribute__((always_inline)) Int round_between(Float v, Float low, Float high) {
  const Float shift = Float{} + 12582912.0f;
  v = v > low ? v : low;
  v = v < high ? v : high;
  return __builtin_convertvector((v + shift) - shift, Int);
}

inline Int round_near(Float v, Float low, Float high) {
  return round_between(v, low, high);
}

inline void interleave_rows(const uint8_t* const (&rows)[4], Int (&out)[4]) {
  for (int r = 0; r < 4; ++r) {
    uint8_t bytes[64];
    for (int lane = 0; lane < 16; ++lane) {
      const int at = lane / 4 * 16 + 4 * r + lane % 4;
      for (int k = 0; k < 4; ++k) bytes[4 * lane + k] = rows[k][at];
    }
    __builtin_memcpy(&out[r], bytes, sizeof bytes);
  }
}

// Steps lie in the range of the type already.
inline void store_places(const Int (&v)[4], int32_t zero, bool, uint8_t* to, int64_t n) {
  for (int64_t c = 0; c < n; ++c) {
    const int64_t place = depthwise_place(c);
    to[c] = static_cast<uint8_t>(v[place / kPanel][place % kPanel] + zero);
  }
}

void map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

#include "interp/byte_kernel_body.h"

}  // namespace

const ByteKernels kByteKernelsPortable{multiply, pack, sum, depthwise, map_bytes, "bytes:portable"};

}  // namespace fettle::interp
