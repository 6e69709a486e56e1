// The binary functions of float32 of interp/float_functions.h.
#include <array>
#include <cmath>

#include "interp/float_functions.h"
#include "interp/simd.h"
#include "interp/vector_functions.h"

namespace fettle::interp {
namespace {

template <typename F>
[[gnu::always_inline]] inline void each(const float* a, int64_t a_step, const float* b,
                                        int64_t b_step, float* y, int64_t n, F f) {
  if (a_step == 1 && b_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (a_step == 1) {
    const float v = *b;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], v);
  } else {
    const float v = *a;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(v, b[i * b_step]);
  }
}

FETTLE_VECTORIZED void plus(const float* a, int64_t a_step, const float* b, int64_t b_step,
                            float* y, int64_t n) {
  each(a, a_step, b, b_step, y, n, [](float u, float v) FETTLE_INLINED { return u + v; });
}
FETTLE_VECTORIZED void minus(const float* a, int64_t a_step, const float* b, int64_t b_step,
                             float* y, int64_t n) {
  each(a, a_step, b, b_step, y, n, [](float u, float v) FETTLE_INLINED { return u - v; });
}
FETTLE_VECTORIZED void times(const float* a, int64_t a_step, const float* b, int64_t b_step,
                             float* y, int64_t n) {
  each(a, a_step, b, b_step, y, n, [](float u, float v) FETTLE_INLINED { return u * v; });
}
FETTLE_VECTORIZED void over(const float* a, int64_t a_step, const float* b, int64_t b_step,
                            float* y, int64_t n) {
  each(a, a_step, b, b_step, y, n, [](float u, float v) FETTLE_INLINED { return u / v; });
}
// The first operand when it is NaN, else the second when that is.
FETTLE_VECTORIZED void greater(const float* a, int64_t a_step, const float* b, int64_t b_step,
                               float* y, int64_t n) {
  each(a, a_step, b, b_step, y, n, [](float u, float v) FETTLE_INLINED {
    const float most = u > v ? u : v;
    return vec::select(u != u, u, most);
  });
}
FETTLE_VECTORIZED void smaller(const float* a, int64_t a_step, const float* b, int64_t b_step,
                               float* y, int64_t n) {
  each(a, a_step, b, b_step, y, n, [](float u, float v) FETTLE_INLINED {
    const float least = u < v ? u : v;
    return vec::select(u != u, u, least);
  });
}
FETTLE_VECTORIZED void leak_by_slope(const float* a, int64_t a_step, const float* b, int64_t b_step,
                                     float* y, int64_t n) {
  each(a, a_step, b, b_step, y, n, [](float u, float v) FETTLE_INLINED {
    const float below = u * v;
    return vec::select(u < 0.0f, below, u);
  });
}

FETTLE_VECTORIZED void cube(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * x[i] * x[i];
}

void power_of_any(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y,
                  int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    y[i] = static_cast<float>(
        std::pow(static_cast<double>(a[i * a_step]), static_cast<double>(b[i * b_step])));
  }
}

// a^0.5, or its reciprocal. As for pow(), -0 counts as 0 and minus infinity gives what infinity
// does.
FETTLE_VECTORIZED void power_of_half(const float* x, bool inverse, float* y, int64_t n) {
  constexpr float kInfinity = std::bit_cast<float>(0x7f800000u);
  const float top = inverse ? 1.0f : 0.0f;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float v = x[i] + 0.0f;
    const float root = std::sqrt(vec::select(v == -kInfinity, kInfinity, v));
    const float inverted = top / root;
    y[i] = inverse ? inverted : root;
  }
}

void power(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  if (a_step == 1 && b_step == 0) {
    const float exponent = *b;
    if (exponent == 2.0f) return times(a, 1, a, 1, y, n);
    if (exponent == 3.0f) return cube(a, y, n);
    if (exponent == 0.5f || exponent == -0.5f) return power_of_half(a, exponent < 0.0f, y, n);
    if (exponent == -1.0f) {
      const float one = 1.0f;
      return over(&one, 0, a, 1, y, n);
    }
  }
  power_of_any(a, a_step, b, b_step, y, n);
}

constexpr std::array kBinary{
    BinaryFunction{"Add", plus, 1, false, true, false},
    BinaryFunction{"Div", over, 2, false, false, false},
    BinaryFunction{"Max", greater, 1, false, true, true},
    BinaryFunction{"Min", smaller, 1, false, true, true},
    BinaryFunction{"Mul", times, 1, true, true, false},
    BinaryFunction{"PRelu", leak_by_slope, 1, true, true, false},
    BinaryFunction{"Pow", power, 16, false, false, false},
    BinaryFunction{"Sub", minus, 1, false, true, false},
    BinaryFunction{"Sum", plus, 1, false, true, true},
};

}  // namespace

const BinaryFunction* binary_function(std::string_view op) {
  for (const BinaryFunction& row : kBinary) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

}  // namespace fettle::interp
