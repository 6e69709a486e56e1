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

using Lanes = Int;
constexpr int64_t kTaps = 4;
constexpr int kTogether = 1;

inline Lanes multiply_add(const Lanes& acc, const Lanes& x, const Lanes& w) {
  return dot(acc, x, w);
}

inline void gather_span(const uint8_t* const (&rows)[4], int64_t at, uint8_t flip, uint8_t* to) {
  for (int64_t e = 0; e < kSpan; ++e) {
    for (int64_t t = 0; t < 4; ++t) to[4 * e + t] = rows[t][at + e] ^ flip;
  }
}

// What lies above is cut here, below by store_span.
inline Lanes steps_near(const Lanes& acc, const float* multiplier, float high) {
  Float m;
  __builtin_memcpy(&m, multiplier, sizeof m);
  constexpr float kBelow = -32768.0f;
  return round_near(__builtin_convertvector(acc, Float) * m, Float{} + kBelow, Float{} + high);
}

struct Rounded {
  int32_t zero = 0;
  bool is_signed = false;
};

inline void store_span(const Lanes (&v)[4], const Rounded& r, uint8_t* to, int64_t n) {
  const int32_t lowest = r.is_signed ? -128 : 0;
  for (int64_t c = 0; c < n; ++c) {
    const int32_t step = v[c / kPanel][c % kPanel] + r.zero;
    to[c] = static_cast<uint8_t>(step < lowest ? lowest : step);
  }
}

void map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

#include "interp/byte_kernel_body.h"
#include "interp/byte_product_body.h"

}  // namespace

const ByteKernels kByteKernelsPortable{multiply,  pack,      sum,   gather,
                                       depthwise, map_bytes, kTaps, "bytes:portable"};

}  // namespace fettle::interp
