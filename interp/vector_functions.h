// Float32 functions of one number for loops that the compiler vectorizes: straight-line code, in
// which choices are made on bit patterns, because the compiler does not compute both sides of a
// conditional floating-point expression. NaN gives NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace fettle::interp::vec {

#define FETTLE_LANE [[gnu::always_inline]] inline

FETTLE_LANE uint32_t bits(float x) {
  return std::bit_cast<uint32_t>(x);
}

// a where `condition`, else b.
FETTLE_LANE float select(bool condition, float a, float b) {
  const uint32_t mask = 0u - static_cast<uint32_t>(condition);
  return std::bit_cast<float>((bits(a) & mask) | (bits(b) & ~mask));
}

// a where 0 <= x < limit, else b (x not negative, not NaN): such floats are ordered as their bits.
FETTLE_LANE float select_below(float x, float limit, float a, float b) {
  const int32_t below = static_cast<int32_t>(bits(x)) - std::bit_cast<int32_t>(limit);
  const auto mask = static_cast<uint32_t>(below >> 31);
  return std::bit_cast<float>((bits(a) & mask) | (bits(b) & ~mask));
}

FETTLE_LANE float magnitude(float x) {
  return std::bit_cast<float>(bits(x) & 0x7fffffffu);
}
// |x| with the sign of y.
FETTLE_LANE float with_sign(float x, float y) {
  return std::bit_cast<float>((bits(x) & 0x7fffffffu) | (bits(y) & 0x80000000u));
}

// x with its magnitude limited to `limit` > 0; NaN as it is.
FETTLE_LANE float clamped(float x, float limit) {
  constexpr int32_t kInfinity = 0x7f800000;
  const auto most = std::bit_cast<int32_t>(limit);
  const auto size = static_cast<int32_t>(bits(x) & 0x7fffffffu);
  const auto is_nan = static_cast<uint32_t>((kInfinity - size) >> 31);
  const auto limited = static_cast<uint32_t>(size < most ? size : most);
  const uint32_t kept = (limited & ~is_nan) | (static_cast<uint32_t>(size) & is_nan);
  return std::bit_cast<float>(kept | (bits(x) & 0x80000000u));
}

// 2^n for -126 <= n <= 127; 0 for n = -127.
FETTLE_LANE float power_of_two(int32_t n) {
  return std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23);
}

// x = n ln 2 + r with n the nearest integer, and e^r - 1 by a minimax polynomial (coefficients:
// S. Moshier, Cephes, expf).
struct ExponentialParts {
  int32_t n;
  float fraction;  // e^r - 1
};
FETTLE_LANE ExponentialParts exponential_parts(float v) {
  const float shifted = v * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to integer
  const float n = shifted - 12582912.0f;
  const float r = (v - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return {std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(12582912.0f), p * r * r + r};
}

// Results below 2^-126 are 0.
FETTLE_LANE float exponential(float x) {
  const ExponentialParts parts = exponential_parts(clamped(x, 89.0f));
  // 2^n may lie just above float's exponents, hence two factors; power_of_two(-127) is 0.
  const int32_t n = parts.n - 1;
  return (parts.fraction + 1.0f) * power_of_two(n > -127 ? n : -127) * 2.0f;
}

// e^x - 1 for x <= 0 without cancellation; positive x give a finite number without meaning.
FETTLE_LANE float exponential_minus_one_below(float x) {
  const ExponentialParts parts = exponential_parts(clamped(x, 80.0f));
  const float power = power_of_two(parts.n);
  return power * parts.fraction + (power - 1.0f);
}

// 1 / (1 + e^-x). As in exponential_parts(), for -x = -n ln 2 - r: signs are moved into constants.
// Results below 2^-126 are 0: from n = -128 on 2^-n is infinite.
FETTLE_LANE float sigmoid(float x) {
  const float v = clamped(x, 89.0f);
  const float shifted = v * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (v - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = -1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r - 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r - 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float power = p * r * r - r + 1.0f;  // e^-r
  const int32_t exponent =
      std::bit_cast<int32_t>(12582912.0f) + 127 - std::bit_cast<int32_t>(shifted);
  const int32_t kept = exponent > 0 ? exponent : 0;
  return 1.0f / (1.0f + power * std::bit_cast<float>(static_cast<uint32_t>(kept) << 23));
}

// Polynomial near zero, else 1 - 2 / (e^2|x| + 1) (S. Moshier, Cephes, tanhf).
FETTLE_LANE float hyperbolic_tangent(float x) {
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = x + x * z * p;
  const float far = 1.0f - 2.0f / (exponential(2.0f * magnitude(x)) + 1.0f);
  return select_below(magnitude(x), 0.625f, near, with_sign(far, x));
}

// x P(x^2) / Q(x^2) on [-4, 4], beyond which float32 has +-1; P and Q fitted to least relative
// error (2.5e-8 before rounding). Relative error within 4e-7.
FETTLE_LANE float error_function(float x) {
  const float v = clamped(x, 4.0f);
  const float z = v * v;
  float p = 1.98680095e-6f;
  p = p * z + 2.84557609e-4f;
  p = p * z + 3.88307287e-3f;
  p = p * z + 5.31009063e-2f;
  p = p * z + 1.93539068e-1f;
  p = p * z + 1.12837911f;
  float q = 3.74199299e-5f;
  q = q * z + 1.18550123e-3f;
  q = q * z + 1.52067114e-2f;
  q = q * z + 1.15347482e-1f;
  q = q * z + 5.04852116e-1f;
  q = q * z + 1.0f;
  return clamped(v * p / q, 1.0f);
}

// ln(m) + e ln 2 for m in [sqrt(1/2), sqrt(2)] (S. Moshier, Cephes, logf).
FETTLE_LANE float logarithm_of_parts(float m, float e) {
  const float f = m - 1.0f;
  const float z = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float y = f * z * p + e * -2.12194440e-4f - 0.5f * z;
  return f + y + e * 0.693359375f;
}

FETTLE_LANE float logarithm(float x) {
  constexpr float kSmallest = 1.17549435e-38f;  // below it numbers have fewer digits
  constexpr float kInfinity = std::bit_cast<float>(0x7f800000u);
  constexpr float kNan = std::bit_cast<float>(0x7fc00000u);
  const bool tiny = x < kSmallest;
  const float scaled = select(tiny, x * 8388608.0f, x);
  const uint32_t offset = bits(scaled) - 0x3f3504f3u;  // from sqrt(1/2)
  const int32_t exponent = static_cast<int32_t>(offset) >> 23;
  const float m = std::bit_cast<float>((offset & 0x7fffffu) + 0x3f3504f3u);
  const float e = static_cast<float>(exponent) - select(tiny, 23.0f, 0.0f);
  const float finite = logarithm_of_parts(m, e);
  const float above = select(x < kInfinity, finite, x);  // infinity and NaN
  const float positive = select(x == 0.0f, -kInfinity, above);
  return select(x < 0.0f, kNan, positive);
}

// ln(1 + e^x) without overflow: max(x, 0) + ln(1 + u) with u = e^-|x|, where the rounding error of
// 1 + u is made good to first order.
FETTLE_LANE float softplus(float x) {
  const float u = exponential(-magnitude(x));
  const float w = 1.0f + u;
  const float lost = u - (w - 1.0f);
  const float m = select_below(w, 1.41421356f, w, w * 0.5f);
  const float e = select_below(w, 1.41421356f, 0.0f, 1.0f);
  const float tail = logarithm_of_parts(m, e) + lost / w;
  return select(x < 0.0f, 0.0f, x) + tail;
}

// x tanh(softplus(x)) = x w (w + 2) / (w (w + 2) + 2) with w = e^x; beyond 20 it is x.
FETTLE_LANE float mish(float x) {
  const float w = exponential(select(x > 20.0f, 20.0f, x));
  const float n = w * (w + 2.0f);
  return select(x > 20.0f, x, x * (n / (n + 2.0f)));
}

FETTLE_LANE float gelu(float x) {
  return 0.5f * x * (1.0f + error_function(x * 0.707106781f));
}
FETTLE_LANE float gelu_by_tanh(float x) {
  return 0.5f * x * (1.0f + hyperbolic_tangent(0.797884561f * (x + 0.044715f * x * x * x)));
}

// Sine (`quarter` 0) or cosine (1) for |x| <= 8192: reduction to [-pi/4, pi/4] by pi/2 in three
// parts, then polynomials (S. Moshier, Cephes, sinf and cosf).
FETTLE_LANE float sine(float x, int32_t quarter) {
  const float shifted = x * 0.636619772f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const int32_t turn =
      std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(12582912.0f) + quarter;
  const float r = ((x - n * 1.5703125f) - n * 4.837512969970703125e-4f) - n * 7.549789948768648e-8f;
  const float z = r * r;
  const float s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
  const float c =
      ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z -
      0.5f * z + 1.0f;
  const float v = select((turn & 1) != 0, c, s);
  return std::bit_cast<float>(bits(v) ^ (static_cast<uint32_t>(turn & 2) << 30));
}

#undef FETTLE_LANE

}  // namespace fettle::interp::vec
