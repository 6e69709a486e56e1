// The kernels for any CPU, with vectors of 4 floats, and the choice among the versions.
#include "interp/tile_kernels.h"

#include <array>
#include <cstring>

namespace fettle::interp {
namespace {

using Vec [[gnu::vector_size(16)]] = float;
constexpr int64_t kLanes = 4;
constexpr int64_t kVectors = 2;

inline Vec zero() {
  return Vec{};
}
inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
inline void store(float* p, Vec v) {
  std::memcpy(p, &v, sizeof(v));
}
inline Vec load_part(const float* p, int64_t n) {
  Vec v{};
  std::memcpy(&v, p, static_cast<size_t>(n) * sizeof(float));
  return v;
}
inline void store_part(float* p, Vec v, int64_t n) {
  std::memcpy(p, &v, static_cast<size_t>(n) * sizeof(float));
}
inline Vec broadcast(float x) {
  return Vec{x, x, x, x};
}
inline Vec multiply_add(Vec a, Vec b, Vec c) {
  return a * b + c;
}
inline Vec times(Vec a, Vec b) {
  return a * b;
}
inline Vec add(Vec a, Vec b) {
  return a + b;
}
inline Vec lower(Vec a, Vec b) {
  return a < b ? a : b;
}
inline Vec higher(Vec a, Vec b) {
  return a > b ? a : b;
}
inline float total(Vec v) {
  return (v[0] + v[2]) + (v[1] + v[3]);
}

#include "interp/tile_kernels.inc"

std::array<const TileKernels*, kTileVersions> usable() {
  std::array<const TileKernels*, kTileVersions> found{};
  size_t count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    found[count++] = avx512_tile_kernels();
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    found[count++] = avx2_tile_kernels();
  }
#endif
  found[count] = portable_tile_kernels();
  return found;
}

}  // namespace

const TileKernels* portable_tile_kernels() {
  return &kKernels;
}

const TileKernels* tile_kernels(int version) {
  static const std::array<const TileKernels*, kTileVersions> versions = usable();
  return version < kTileVersions ? versions[static_cast<size_t>(version)] : nullptr;
}

const TileKernels& tile_kernels() {
  static const TileKernels& fastest = *tile_kernels(0);
  return fastest;
}

}  // namespace fettle::interp
