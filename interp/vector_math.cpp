#include "interp/vector_math.h"

#include <algorithm>
#include <cmath>

#include "interp/simd.h"
#include "interp/vector_functions.h"

namespace fettle::interp {
namespace {

// y[i] = f(x[i]); the last elements are computed as one full vector too.
template <typename F>
[[gnu::always_inline]] inline void each(const float* x, float* y, int64_t n, F f) {
  constexpr int64_t kLanes = 16;
  const int64_t whole = n / kLanes * kLanes;
#pragma omp simd
  for (int64_t i = 0; i < whole; ++i) y[i] = f(x[i]);
  if (whole == n) return;
  float lanes[kLanes] = {};
  for (int64_t i = whole; i < n; ++i) lanes[i - whole] = x[i];
#pragma omp simd
  for (int64_t i = 0; i < kLanes; ++i) lanes[i] = f(lanes[i]);
  for (int64_t i = whole; i < n; ++i) y[i] = lanes[i - whole];
}

}  // namespace

FETTLE_VECTORIZED
void exp_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::exponential(v); });
}

FETTLE_VECTORIZED
void sigmoid_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::sigmoid(v); });
}

FETTLE_VECTORIZED
void tanh_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::hyperbolic_tangent(v); });
}

FETTLE_VECTORIZED
void erf_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::error_function(v); });
}

FETTLE_VECTORIZED
void log_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::logarithm(v); });
}

FETTLE_VECTORIZED
void softplus_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::softplus(v); });
}

FETTLE_VECTORIZED
void mish_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::mish(v); });
}

FETTLE_VECTORIZED
void gelu_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::gelu(v); });
}

FETTLE_VECTORIZED
void gelu_tanh_row(const float* x, float* y, int64_t n) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::gelu_by_tanh(v); });
}

FETTLE_VECTORIZED
void swish_row(const float* x, float* y, int64_t n, float alpha) {
  each(x, y, n, [alpha](float v) FETTLE_INLINED { return v * vec::sigmoid(alpha * v); });
}

FETTLE_VECTORIZED
void elu_row(const float* x, float* y, int64_t n, float slope, float scale, float gain) {
  each(x, y, n, [=](float v) FETTLE_INLINED {
    const float below = scale * vec::exponential_minus_one_below(v * slope);
    return gain * vec::select(v < 0.0f, below, v);
  });
}

namespace {

FETTLE_VECTORIZED
void reduced_sine_row(const float* x, float* y, int64_t n, int32_t quarter) {
  each(x, y, n, [quarter](float v) FETTLE_INLINED { return vec::sine(v, quarter); });
}

FETTLE_VECTORIZED
float greatest_magnitude(const float* x, int64_t n) {
  uint32_t most = 0;
#pragma omp simd reduction(max : most)
  for (int64_t i = 0; i < n; ++i) most = std::max(most, vec::bits(x[i]) & 0x7fffffffu);
  return std::bit_cast<float>(most);
}

}  // namespace

void sin_row(const float* x, float* y, int64_t n) {
  if (greatest_magnitude(x, n) <= 8192.0f) return reduced_sine_row(x, y, n, 0);
  for (int64_t i = 0; i < n; ++i) y[i] = std::sin(x[i]);
}

void cos_row(const float* x, float* y, int64_t n) {
  if (greatest_magnitude(x, n) <= 8192.0f) return reduced_sine_row(x, y, n, 1);
  for (int64_t i = 0; i < n; ++i) y[i] = std::cos(x[i]);
}

FETTLE_VECTORIZED
double sum_row(const float* x, int64_t n) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

FETTLE_VECTORIZED
double squares_row(const float* x, double center, int64_t n) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - center;
    sum += d * d;
  }
  return sum;
}

FETTLE_VECTORIZED
double magnitudes_row(const float* x, int64_t n) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(vec::magnitude(x[i]));
  return sum;
}

FETTLE_VECTORIZED
float max_row(const float* x, int64_t n) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes];
  for (float& lane : lanes) lane = x[0];
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  }
  for (; i < n; ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  float greatest = lanes[0];
  for (const float lane : lanes) greatest = lane > greatest ? lane : greatest;
  return greatest;
}

FETTLE_VECTORIZED
double exp_shifted_row(const float* x, float shift, float* y, int64_t n) {
  each(x, y, n, [shift](float v) FETTLE_INLINED { return vec::exponential(v - shift); });
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(y[i]);
  return sum;
}

FETTLE_VECTORIZED
void affine_row(const float* x, float scale, float shift, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * scale + shift;
}

FETTLE_VECTORIZED
void centered_affine_row(const float* x, float center, float scale, float shift, float* y,
                         int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - center) * scale + shift;
}

FETTLE_VECTORIZED
void normalize_row(const float* x, float center, float factor, const float* scale,
                   const float* bias, float* y, int64_t n) {
  if (bias == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - center) * factor * scale[i];
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - center) * factor * scale[i] + bias[i];
  }
}

FETTLE_VECTORIZED
void add_scaled_row(float a, const float* __restrict x, float* __restrict y, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) y[j] += a * x[j];
}

}  // namespace fettle::interp
