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

template <typename Byte>
inline Int lanes(const uint8_t* from) {
  Int v;
  for (int i = 0; i < 16; ++i) v[i] = static_cast<Byte>(from[i]);
  return v;
}
inline Int unsigned_lanes(const uint8_t* from) {
  return lanes<uint8_t>(from);
}
inline Int signed_lanes(const uint8_t* from) {
  return lanes<int8_t>(from);
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

void map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

#include "interp/byte_kernel_body.h"

}  // namespace

const ByteKernels kByteKernelsPortable{multiply, pack, sum, depthwise, map_bytes, "bytes:portable"};

}  // namespace fettle::interp
