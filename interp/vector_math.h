// Vectorized float32 functions of whole rows. Relative error within 4e-7; NaN gives NaN. Sums are
// in double.
#pragma once

#include <cstdint>

namespace fettle::interp {

// y[i] = f(x[i]); y may be x.
void exp_row(const float* x, float* y, int64_t n);
void log_row(const float* x, float* y, int64_t n);
void sigmoid_row(const float* x, float* y, int64_t n);
void tanh_row(const float* x, float* y, int64_t n);
void erf_row(const float* x, float* y, int64_t n);
void sin_row(const float* x, float* y, int64_t n);
void cos_row(const float* x, float* y, int64_t n);
// These sum terms of opposite signs: the error is relative to the greatest term.
void softplus_row(const float* x, float* y, int64_t n);
void mish_row(const float* x, float* y, int64_t n);
void gelu_row(const float* x, float* y, int64_t n);
void gelu_tanh_row(const float* x, float* y, int64_t n);
// y[i] = x[i] sigmoid(alpha x[i]).
void swish_row(const float* x, float* y, int64_t n, float alpha);
// y[i] = gain * (x[i] < 0 ? scale * (exp(slope x[i]) - 1) : x[i]) for slope > 0.
void elu_row(const float* x, float* y, int64_t n, float slope, float scale, float gain);

// y[i] = exp(x[i] - shift), y may be x; returns their sum.
double exp_shifted_row(const float* x, float shift, float* y, int64_t n);
// y[i] = x[i] * scale + shift; y may be x.
void affine_row(const float* x, float scale, float shift, float* y, int64_t n);
// y[i] = (x[i] - center) * scale + shift; y may be x.
void centered_affine_row(const float* x, float center, float scale, float shift, float* y,
                         int64_t n);
// y[i] = (x[i] - center) * factor * scale[i] [+ bias[i]]; y may be x, `bias` null.
void normalize_row(const float* x, float center, float factor, const float* scale,
                   const float* bias, float* y, int64_t n);
// y[j] += a * x[j].
void add_scaled_row(float a, const float* x, float* y, int64_t n);

// Sums of x[i], of (x[i] - center)^2 and of |x[i]|.
double sum_row(const float* x, int64_t n);
double squares_row(const float* x, double center, int64_t n);
double magnitudes_row(const float* x, int64_t n);
// The greatest of n >= 1 numbers, those that are NaN aside unless the first is.
float max_row(const float* x, int64_t n);

}  // namespace fettle::interp
