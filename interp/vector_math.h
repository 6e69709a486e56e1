// Vectorized float32 functions of whole rows. Relative error within 3e-7; NaN gives NaN.
#pragma once

#include <cstdint>

namespace fettle::interp {

// y may be x.
void exp_row(const float* x, float* y, int64_t n);
void sigmoid_row(const float* x, float* y, int64_t n);
void tanh_row(const float* x, float* y, int64_t n);
// y[i] = exp(x[i] - shift); returns their sum in a fixed order.
double exp_shifted_row(const float* x, float shift, float* y, int64_t n);
// y[j] += a * x[j].
void add_scaled_row(float a, const float* x, float* y, int64_t n);

}  // namespace fettle::interp
