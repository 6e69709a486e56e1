#include "interp/vector_math.h"

#include <algorithm>
#include <bit>

#include "interp/simd.h"

namespace fettle::interp {
namespace {

// 2^n for -126 <= n <= 127.
inline float power_of_two(int32_t n) {
  return std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23);
}

// x with its magnitude limited to 104, beyond which e^x is 0 or infinite in float32; NaN as it is.
// Choices are made on bit patterns here and below, because the compiler does not compute both sides
// of a conditional floating-point expression.
inline float clamped(float x) {
  constexpr int32_t kLimit = std::bit_cast<int32_t>(104.0f);
  constexpr int32_t kInfinity = 0x7f800000;
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const auto magnitude = static_cast<int32_t>(bits & 0x7fffffffu);
  const auto is_nan = static_cast<uint32_t>((kInfinity - magnitude) >> 31);
  const auto limited = static_cast<uint32_t>(magnitude < kLimit ? magnitude : kLimit);
  const uint32_t kept = (limited & ~is_nan) | (static_cast<uint32_t>(magnitude) & is_nan);
  return std::bit_cast<float>(kept | (bits & 0x80000000u));
}

// e^x as 2^n e^r with n the nearest integer of x / ln 2 and a minimax polynomial for e^r
// (coefficients: S. Moshier, Cephes, expf).
inline float exponential(float x) {
  const float v = clamped(x);
  const float shifted = v * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to integer
  const float n = shifted - 12582912.0f;
  const float r = (v - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float e = (p * r * r + r) + 1.0f;
  // The power may lie outside float's exponents: it is applied in two factors.
  const int32_t whole = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(12582912.0f);
  const int32_t half = whole >> 1;
  return e * power_of_two(half) * power_of_two(whole - half);
}

// Polynomial near zero, else 1 - 2 / (e^2|x| + 1) (S. Moshier, Cephes, tanhf). The choice is made
// on bit patterns, because the compiler does not compute conditional floating-point branches side
// by side.
inline float hyperbolic_tangent(float x) {
  constexpr uint32_t kSign = 0x80000000u;
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const float magnitude = std::bit_cast<float>(bits & ~kSign);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = x + x * z * p;
  const float far = 1.0f - 2.0f / (exponential(2.0f * magnitude) + 1.0f);
  const uint32_t signed_far = std::bit_cast<uint32_t>(far) | (bits & kSign);
  // All ones where |x| < 0.625: non-negative floats are ordered as their patterns.
  const auto below = static_cast<int32_t>(bits & ~kSign) - std::bit_cast<int32_t>(0.625f);
  const auto mask = static_cast<uint32_t>(below >> 31);
  return std::bit_cast<float>((std::bit_cast<uint32_t>(near) & mask) | (signed_far & ~mask));
}

}  // namespace

FETTLE_VECTORIZED
void exp_row(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = exponential(x[i]);
}

FETTLE_VECTORIZED
void sigmoid_row(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = 1.0f / (1.0f + exponential(-x[i]));
}

FETTLE_VECTORIZED
void tanh_row(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = hyperbolic_tangent(x[i]);
}

double exp_shifted_row(const float* x, float shift, float* y, int64_t n) {
  constexpr int64_t kPiece = 256;
  double sum = 0.0;
  for (int64_t begin = 0; begin < n; begin += kPiece) {
    const int64_t count = std::min(kPiece, n - begin);
    float* to = y + begin;
    for (int64_t i = 0; i < count; ++i) to[i] = x[begin + i] - shift;
    exp_row(to, to, count);
    for (int64_t i = 0; i < count; ++i) sum += to[i];
  }
  return sum;
}

FETTLE_VECTORIZED
void add_scaled_row(float a, const float* __restrict x, float* __restrict y, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) y[j] += a * x[j];
}

}  // namespace fettle::interp
