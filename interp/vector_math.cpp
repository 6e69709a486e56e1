#include "interp/vector_math.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "interp/simd.h"

namespace fettle::interp {
namespace {

// 2^n for -126 <= n <= 127.
inline float power_of_two(int32_t n) {
  return std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23);
}

// e^x as 2^n e^r with n the nearest integer of x / ln 2 and a minimax polynomial for e^r
// (coefficients: S. Moshier, Cephes, expf).
inline float exponential(float x) {
  constexpr float kLow = -104.0f;     // e^x rounds to 0 below
  constexpr float kHigh = 88.72284f;  // and overflows above
  const float low = x < kLow ? kLow : x;
  const float v = low > kHigh ? kHigh : low;
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
  const float scaled = e * power_of_two(half) * power_of_two(whole - half);
  return x > kHigh ? std::numeric_limits<float>::infinity() : scaled;
}

// Polynomial near zero, else 1 - 2 / (e^2|x| + 1) (S. Moshier, Cephes, tanhf).
inline float hyperbolic_tangent(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = x + x * z * p;
  const float far = 1.0f - 2.0f / (exponential(2.0f * magnitude) + 1.0f);
  const float signed_far = x < 0.0f ? -far : far;
  return magnitude < 0.625f ? near : signed_far;
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
